import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import ts from 'typescript';

const GUIDES = resolve(__dirname, '../../docs');

/** Compiles the code blocks of a guide that contain a text, as CommonJS. */
export function compileRecipes(guide: string, marker: string): string[] {
  const page = readFileSync(resolve(GUIDES, `${guide}.md`), 'utf8');
  const blocks = [...page.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, code]) => code!);
  return blocks
    .filter((code) => code.includes(marker))
    .map(
      (code) =>
        ts.transpileModule(code, {
          compilerOptions: {
            module: ts.ModuleKind.CommonJS,
            target: ts.ScriptTarget.ES2022,
            experimentalDecorators: true,
            emitDecoratorMetadata: true,
            esModuleInterop: true,
          },
        }).outputText,
    );
}

/**
 * Runs code blocks of a guide.
 *
 * @param load - the `require` of the test, whose packages the code gets
 * @returns what the code exports
 */
export function runRecipes<Exports>(guide: string, marker: string, load: NodeJS.Require): Exports {
  const exports = {};
  for (const code of compileRecipes(guide, marker)) {
    // eslint-disable-next-line @typescript-eslint/no-implied-eval
    new Function('require', 'exports', code)(load, exports);
  }
  return exports as Exports;
}
