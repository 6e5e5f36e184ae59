// A real browser: Debian's Chromium, without a window.

import { Browser as Kind, Builder } from 'selenium-webdriver';
import { Options, ServiceBuilder } from 'selenium-webdriver/chrome.js';

import { temporaryFolder } from './process.js';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const CHROMEDRIVER = process.env.CHROMEDRIVER ?? '/usr/bin/chromedriver';

/** One browser with an empty profile. The owner ends it. */
export class Browser {
  /** `hosts`: names of this machine, beside `localhost`. */
  static async open(owner, { hosts = [] } = {}) {
    const profile = await temporaryFolder();
    const self = new Browser();
    owner.after(async () => {
      await self.driver?.quit();
      await profile.remove();
    });
    const options = new Options();
    options.setChromeBinaryPath(CHROMIUM);
    options.addArguments(
      '--headless=new',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
      '--window-size=1280,900',
      `--user-data-dir=${profile.folder}`,
      // It talks to the servers of this test, and to nobody else.
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--disable-quic',
      `--host-resolver-rules=${[...hosts.map((host) => `MAP ${host} 127.0.0.1`), 'MAP * ~NOTFOUND', 'EXCLUDE localhost', 'EXCLUDE 127.0.0.1'].join(', ')}`,
    );
    // Chromium's sandbox does not work for root, which is who runs tests in many containers.
    if (process.getuid?.() === 0) options.addArguments('--no-sandbox');
    self.driver = await new Builder()
      .forBrowser(Kind.CHROME)
      .setChromeOptions(options)
      .setChromeService(new ServiceBuilder(CHROMEDRIVER))
      .build();
    await self.driver.manage().setTimeouts({ implicit: 0, pageLoad: 30_000, script: 10_000 });
    return self;
  }

  /** The size of a screen, and whether it is a phone's. */
  async screen({ width, height, phone = false }) {
    await this.driver.sendDevToolsCommand('Emulation.setDeviceMetricsOverride', {
      width,
      height,
      deviceScaleFactor: 2,
      mobile: phone,
    });
  }

  /** `light` or `dark`, as the person set it in the system. */
  async colours(scheme) {
    await this.driver.sendDevToolsCommand('Emulation.setEmulatedMedia', {
      features: [{ name: 'prefers-color-scheme', value: scheme }],
    });
  }

  /** What the page says, for a test's failure. */
  async describe() {
    const [url, title, body] = [
      await this.driver.getCurrentUrl(),
      await this.driver.getTitle(),
      await this.driver.findElement({ css: 'body' }).getText(),
    ];
    return `the browser is at ${url}\n${title}\n${body}`;
  }
}
