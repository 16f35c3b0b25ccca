// Builds the browser part of the panel, from libs/maintenance/src/admin/panel/client.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { minifyStyle } from './minify-style.mjs';

const CLIENT = join(import.meta.dirname, '../libs/maintenance/src/admin/panel/client');

/** Returns the script, with Preact inside, and the style of the panel, minified. */
export async function buildPanel() {
  const bundle = await rolldown({
    input: join(CLIENT, 'main.tsx'),
    transform: { target: 'es2022' },
    platform: 'browser',
  });
  const { output } = await bundle.generate({ format: 'iife', minify: true, comments: false });
  const script = output[0].code.trim();
  if (/<\/script|<!--/i.test(script)) throw new Error('The script of the panel would end its own element.');
  return { script, style: minifyStyle(readFileSync(join(CLIENT, 'panel.css'), 'utf8')) };
}

/** The module `panel-assets.ts` with the built script and style in it. */
export const panelAssets = {
  name: 'panel-assets',
  load: {
    filter: { id: /\/panel-assets\.ts$/ },
    handler: async () => `export const PANEL_DOCUMENT = ${JSON.stringify(await buildPanel())};\n`,
  },
};
