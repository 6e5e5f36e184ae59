// A person who reads a page and answers it. What they look for is what a person or a screen reader looks for: labels,
// the meaning of a field, the words on a button.

import { By, until } from 'selenium-webdriver';

import { waitFor } from './process.js';

const NAME = By.css('input[autocomplete~="username"]');
const PASSWORD = By.css('input[type="password"]');

export class Person {
  constructor(browser) {
    this.browser = browser;
    this.driver = browser.driver;
  }

  async open(url) {
    await this.driver.get(String(url));
  }

  /** Fills the form for name and password, and sends it. */
  async logIn({ name, password }) {
    await this.#fill(NAME, name);
    await this.#fill(PASSWORD, password);
    await this.press(/log in|sign in/i);
  }

  /** Fills the form that the set-up link leads to, and sends it. */
  async setUp({ name, password }) {
    await this.#fill(NAME, name);
    for (const field of await this.driver.findElements(PASSWORD)) {
      await field.sendKeys(password);
    }
    await this.press(/create|set up|save|continue/i);
  }

  /** Fills the field of that name. */
  async fillIn(name, text) {
    await this.#fill(By.css(`input[name="${name}"]`), text);
  }

  /** The words of the page of consent, once it is there. */
  async readConsent() {
    await this.#button(/^(allow|approve)/i);
    return this.driver.findElement(By.css('body')).getText();
  }

  async consent() {
    await this.press(/^(allow|approve)/i);
  }

  async refuse() {
    await this.press(/deny|refuse|cancel/i);
  }

  /** Presses the button with these words on it, or with these for whoever hears the page. */
  async press(words) {
    const button = await this.#button(words);
    await button.click();
  }

  /** Turns on the switch with this label. */
  async turnOn(label) {
    const found = await this.#patiently(
      async () => {
        for (const one of await this.driver.findElements(By.css('[role="switch"]'))) {
          if (label.test(await one.getAttribute('aria-label'))) return one;
        }
      },
      `there is no switch ${label}`,
    );
    // What is seen and pressed is drawn beside it.
    await this.driver.executeScript('arguments[0].click()', found);
  }

  /** Chooses what has this label. A page that draws itself anew all the time is looked at and pressed in one step. */
  async choose(words) {
    const press = `const found = [...document.querySelectorAll('label, button')].find((one) => ${words}.test(one.innerText.trim()));
      found?.click();
      return Boolean(found);`;
    await this.#patiently(() => this.driver.executeScript(press), `there is no choice ${words}`);
  }

  /** Follows the link with these words on it. */
  async follow(words) {
    const link = await this.#patiently(
      async () => {
        for (const link of await this.driver.findElements(By.css('a[href]'))) {
          if (words.test((await link.getText()).trim())) return link;
        }
      },
      `there is no link ${words}`,
    );
    await link.click();
  }

  /** Fills the field with this label. */
  async type(label, text) {
    const id = await this.#patiently(
      async () => {
        for (const one of await this.driver.findElements(By.css('label[for]'))) {
          if (label.test((await one.getText()).trim())) return one.getAttribute('for');
        }
      },
      `there is no field ${label}`,
    );
    await this.#fill(By.id(id), text);
  }

  /** Waits for a page whose text matches, and gives the text. */
  async reads(words) {
    return this.#patiently(
      async () => {
        const text = await this.driver.findElement(By.css('body')).getText();
        return words.test(text) && text;
      },
      `no page says ${words}`,
    );
  }

  async #fill(locator, text) {
    const field = await this.#patiently(
      () => this.driver.wait(until.elementLocated(locator), 1_000).catch(() => undefined),
      `there is no ${locator}`,
    );
    await field.clear();
    await field.sendKeys(text);
  }

  async #button(words) {
    return this.#patiently(
      async () => {
        for (const button of await this.driver.findElements(By.css('button, input[type="submit"]'))) {
          const text = (await button.getText()) || (await button.getAttribute('value')) || '';
          const label = (await button.getAttribute('aria-label')) ?? '';
          if (words.test(text.trim()) || words.test(label)) return button;
        }
      },
      `there is no button ${words}`,
    );
  }

  /** Pages change while they are looked at: looks again, and says in the end what was there. */
  async #patiently(look, complaint) {
    const attempt = async () => {
      try {
        return await look();
      } catch (error) {
        if (/stale element|no such element|detached|does not belong to the document/i.test(`${error.name} ${error.message}`)) return undefined;
        throw error;
      }
    };
    try {
      return await waitFor(attempt, { patience: 15_000, why: () => complaint });
    } catch (error) {
      throw new Error(`${error.message}\n${await this.browser.describe()}`, { cause: error });
    }
  }
}
