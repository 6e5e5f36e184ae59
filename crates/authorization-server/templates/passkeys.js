// Passkeys: the page carries the challenge, the form carries the answer. Without this script the button stays unseen,
// with its place kept, so that nothing moves; passwords work all the same.
'use strict';

const bytes = (text) =>
  Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (character) => character.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');

async function logIn(form) {
  const { challenge, party } = form.dataset;
  const credential = await navigator.credentials.get({
    publicKey: { challenge: bytes(challenge), rpId: party, userVerification: 'required', timeout: 300_000 },
  });
  const { clientDataJSON, authenticatorData, signature, userHandle } = credential.response;
  return {
    credential_id: text(credential.rawId),
    client_data: text(clientDataJSON),
    authenticator_data: text(authenticatorData),
    signature: text(signature),
    user_handle: text(userHandle ?? new ArrayBuffer(0)),
  };
}

async function register(form) {
  const { challenge, party, user, username, algorithms, known } = form.dataset;
  const credential = await navigator.credentials.create({
    publicKey: {
      challenge: bytes(challenge),
      rp: { id: party, name: party },
      user: { id: new TextEncoder().encode(user), name: username, displayName: username },
      pubKeyCredParams: algorithms.split(' ').map((alg) => ({ type: 'public-key', alg: Number(alg) })),
      excludeCredentials: known
        .split(' ')
        .filter(Boolean)
        .map((id) => ({ type: 'public-key', id: bytes(id) })),
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      attestation: 'none',
      timeout: 300_000,
    },
  });
  const { response } = credential;
  return {
    client_data: text(response.clientDataJSON),
    authenticator_data: text(response.getAuthenticatorData()),
    public_key: text(response.getPublicKey()),
    algorithm: String(response.getPublicKeyAlgorithm()),
  };
}

for (const form of document.querySelectorAll('form[data-passkey]')) {
  if (!window.PublicKeyCredential) break;
  form.classList.add('ready');
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const failed = form.querySelector('[role="alert"]');
    failed.hidden = true;
    try {
      const answer = await (form.dataset.passkey === 'login' ? logIn(form) : register(form));
      for (const [name, value] of Object.entries(answer)) form.elements.namedItem(name).value = value;
      form.submit();
    } catch (error) {
      failed.textContent =
        error.name === 'InvalidStateError'
          ? 'This device has a passkey for this account already.'
          : 'No passkey was used. Try again, or sign in another way.';
      failed.hidden = false;
    }
  });
}
