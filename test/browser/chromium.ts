import { chromium, type Browser } from 'playwright-core';
import { findProgram } from '../tools/programs.js';

const HOW_TO_INSTALL = 'install it with "apt-get install chromium", or set CHROMIUM to its path';
const executablePath = findProgram(process.env.CHROMIUM, ['chromium', 'chromium-browser', 'google-chrome']);
/** Whether a missing browser is a failure and not a skipped suite. */
const isRequired = process.env.CI === 'true';

if (!executablePath && !isRequired) process.stderr.write(`skipped: Chromium not found, ${HOW_TO_INSTALL}\n`);

/** Is `describe` where Chromium is installed or required, else `describe.skip`. */
export const describeWithChromium = executablePath || isRequired ? describe : describe.skip;

/** Starts the installed browser, headless and with an empty profile. */
export async function launchChromium(args: string[] = []): Promise<Browser> {
  if (!executablePath) throw new Error(`Chromium not found: ${HOW_TO_INSTALL}`);
  return chromium.launch({ executablePath, args });
}
