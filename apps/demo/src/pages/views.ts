import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Handlebars from 'handlebars';
import type { MaintenanceWindow } from 'nestjs-maintenance';

/** Folder of the templates. */
export const VIEWS = fileURLToPath(new URL('../../views', import.meta.url));

/** Handlebars with the helpers that the templates use. */
export const handlebars = Handlebars.create();

handlebars.registerHelper('time', (iso: string | null) => {
  if (!iso) return 'it is turned off';
  return `${new Date(iso).toUTCString().slice(0, -7)} UTC`;
});

handlebars.registerHelper('price', (cents: number) => `€ ${(cents / 100).toFixed(2)}`);

handlebars.registerHelper('effect', ({ scope, mode }: MaintenanceWindow) => {
  const part = scope === '*' ? 'The shop' : `The part “${scope}”`;
  return mode === 'full' ? `${part} is closed` : `${part} is read-only`;
});

/** Renders a template inside the layout. */
export async function renderView(path: string, context: object): Promise<string> {
  const body = await render(path, context);
  return render(join(VIEWS, 'layout.hbs'), { ...context, body });
}

// Reads the template for each page, so that changes show without a restart.
async function render(path: string, context: object): Promise<string> {
  return handlebars.compile(await readFile(path, 'utf8'))(context);
}
