import { styleText } from 'node:util';

// styleText of Node 20 ignores the stream if it gets several formats.
/** The format of what begins a line, by the text there. The first that matches applies. */
const STYLES: readonly (readonly [RegExp, Parameters<typeof styleText>[0]])[] = [
  [/^error:/, 'red'],
  [/^ *(?:warning|note):/, 'yellow'],
  [/^Maintenance (?:is (?:forced )?ON\b[^.,]*|stays ON\b)/, 'yellow'],
  [/^Maintenance is (?:forced )?off\b/, 'green'],
  [/^(?:Drained|No instance)\b/, 'bold'],
  // The label of a section, and the header of a table.
  [/^[a-z]+(?: by)?(?= {2,})/, 'bold'],
  [/^[A-Z]+(?: {1,}[A-Z]+)+$/, 'bold'],
];

/** Colors the beginning of a line, if `stream` is a terminal that shows colors, or `FORCE_COLOR` asks for them. */
export function colorLine(line: string, stream: NodeJS.WriteStream): string {
  for (const [pattern, format] of STYLES) {
    const found = pattern.exec(line)?.[0];
    if (found) return styleText(format, found, { stream }) + line.slice(found.length);
  }
  return line;
}
