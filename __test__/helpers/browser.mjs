import { chromium } from 'playwright-core';
import { installed } from './installed.mjs';

/** The browser's path, where one is installed. */
export const executablePath =
  process.env.CHROMIUM || installed('chromium', 'chromium-browser', 'google-chrome');

/** Starts headless Chromium. */
export function launch(options) {
  return chromium.launch({
    executablePath,
    // For root there is no sandbox; the rest keeps Chromium from asking anybody but our servers.
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
    ],
    ...options,
  });
}
