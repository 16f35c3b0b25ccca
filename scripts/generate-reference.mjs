// Writes the pages of docs/reference from the sources: TSDoc comments, controllers and the help of the built program.
// `--check` fails if a page is out of date.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { createCommandsPage } from './reference/commands.mjs';
import { createDecoratorsPage } from './reference/decorators.mjs';
import { createEnvironmentPage } from './reference/environment.mjs';
import { createErrorsPage } from './reference/errors.mjs';
import { createHttpPage } from './reference/http.mjs';
import { createMessagesPage } from './reference/messages.mjs';
import { createServicePage } from './reference/service.mjs';

const FOLDER = 'docs/reference';
const NOTE = '<!-- Written by scripts/generate-reference.mjs. Change the sources, then run it. -->';
const PAGES = {
  commands: createCommandsPage,
  decorators: createDecoratorsPage,
  environment: createEnvironmentPage,
  errors: createErrorsPage,
  http: createHttpPage,
  messages: createMessagesPage,
  service: createServicePage,
};

mkdirSync(FOLDER, { recursive: true });
for (const [name, create] of Object.entries(PAGES)) {
  const path = `${FOLDER}/${name}.md`;
  const written = await format(`${NOTE}\n\n${create()}\n`, { ...(await resolveConfig(path)), filepath: path });
  if (!process.argv.includes('--check')) writeFileSync(path, written);
  else if (!existsSync(path) || readFileSync(path, 'utf8') !== written) {
    console.error(`${path} is out of date. Build, then run: node scripts/generate-reference.mjs`);
    process.exitCode = 1;
  }
}
