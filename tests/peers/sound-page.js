// What every page owes to people who do not see it as its maker does: on a small phone, in the dark, by keyboard, by screen reader.

import assert from 'node:assert/strict';

/** WCAG 2.2 §1.4.10: text flows on a screen of this width. */
const NARROW = { width: 320, height: 640, phone: true };
const WIDE = { width: 1280, height: 900 };

/** Looks at the page that the browser shows; says everything that is wrong with it. */
export async function soundPage(browser, page) {
  const faults = await browser.driver.executeScript(STRUCTURE);
  for (const colours of ['light', 'dark']) {
    await browser.colours(colours);
    for (const fault of await browser.driver.executeScript(CONTRAST)) faults.push(`${colours}: ${fault}`);
  }
  await browser.colours('light');
  await browser.screen(NARROW);
  const { cssContentSize } = await browser.driver.sendAndGetDevToolsCommand('Page.getLayoutMetrics');
  if (cssContentSize.width > NARROW.width) faults.push(`is ${cssContentSize.width} pixels wide on a phone of ${NARROW.width}`);
  faults.push(...(await browser.driver.executeScript(TARGETS)));
  await browser.screen(WIDE);
  assert.deepEqual(faults, [], page);
}

const NAME = `
  const nameOf = (element) => {
    const label = element.id && document.querySelector('label[for="' + element.id + '"]');
    return (element.getAttribute('aria-label') || label?.textContent || (element.matches('input') ? '' : element.textContent)).trim();
  };
  const seen = (element) => element.checkVisibility({ visibilityProperty: true }) && element.getAttribute('aria-hidden') !== 'true';
`;

/** Headings, landmarks, names. */
const STRUCTURE = `${NAME}
  const faults = [];
  const count = (selector) => document.querySelectorAll(selector).length;
  if (!document.documentElement.lang) faults.push('says no language');
  if (!document.title.replace(/^ · /, '').includes('·')) faults.push('has no title: ' + document.title);
  if (count('main') !== 1) faults.push('has ' + count('main') + ' main parts');
  if (count('h1') !== 1) faults.push('has ' + count('h1') + ' first headings');
  const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
  for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) faults.push('has the id twice: ' + id);
  for (const id of [...document.querySelectorAll('[aria-describedby],[aria-labelledby]')].flatMap((element) =>
    [element.getAttribute('aria-describedby'), element.getAttribute('aria-labelledby')].filter(Boolean)))
    if (!document.getElementById(id)) faults.push('describes by what is not there: ' + id);
  const names = new Map();
  for (const element of document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea')) {
    if (!seen(element)) continue;
    const name = nameOf(element);
    if (!name) faults.push('has something without a name: ' + element.outerHTML.slice(0, 120));
    if (element.tabIndex < 0) faults.push('cannot be reached by keyboard: ' + name);
    // WCAG 2.2 §2.5.3: who speaks to the page says what is written.
    const written = element.textContent.trim().toLowerCase();
    if (!name.toLowerCase().includes(written)) faults.push('is not named as it is written: ' + name + ' / ' + written);
    if (element.matches('button')) {
      if (names.has(name)) faults.push('has two buttons named ' + name);
      names.set(name, element);
    }
  }
  return faults;`;

/** WCAG 2.2 §1.4.3: text against what is behind it. */
const CONTRAST = `${NAME}
  const faults = [];
  const rgb = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => {
    const [R, G, B] = [r, g, b].map((part) => (part /= 255) <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * R + 0.7152 * G + 0.0722 * B;
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = rgb(getComputedStyle(one).backgroundColor);
      if (colour.length && colour[3] !== 0) return colour;
    }
    return [255, 255, 255];
  };
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !seen(element) || element.closest('svg,script,style,noscript')) continue;
    const [one, other] = [light(rgb(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (other + 0.05);
    if (contrast < 4.5) faults.push('contrast ' + contrast.toFixed(2) + ': ' + element.textContent.trim().slice(0, 60));
  }
  return faults;`;

/** WCAG 2.2 §2.5.8: what a finger has to hit; links within a sentence aside. */
const TARGETS = `${NAME}
  const faults = [];
  for (const element of document.querySelectorAll('button, input:not([type=hidden]), a[href]')) {
    if (!seen(element) || (element.matches('a') && getComputedStyle(element).display === 'inline')) continue;
    const { width, height } = element.getBoundingClientRect();
    if (width < 24 || height < 24) faults.push('is hard to hit: ' + nameOf(element) + ' ' + width + '×' + height);
  }
  return faults;`;
