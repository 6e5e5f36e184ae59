//! A person at a browser: keeps cookies, follows redirects, reads pages and submits their forms.
