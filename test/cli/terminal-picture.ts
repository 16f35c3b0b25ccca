import type { IBufferCell, Terminal } from '@xterm/headless';
import { readLines } from './terminal-session.js';

const FONT_SIZE = 14;
const CELL_WIDTH = 8.4;
const LINE_HEIGHT = 19;
const PADDING = 16;
const BACKGROUND = '#14201f';
const FOREGROUND = '#dfe9e7';
/** The colors that the command line uses, by their number in the palette of a terminal. */
const COLORS: Record<number, string> = { 1: '#ff8f87', 2: '#6fd3c1', 3: '#f2c14e', 6: '#7fc8f0' };

interface Run {
  column: number;
  text: string;
  style: string;
}

/** Draws a screen as SVG, whose text stays text. */
export function drawScreen(terminal: Terminal): string {
  const rows = readLines(terminal).map((_, row) => findRuns(terminal, row));
  const width = 2 * PADDING + terminal.cols * CELL_WIDTH;
  const height = 2 * PADDING + rows.length * LINE_HEIGHT;
  const texts = rows.flatMap((runs, row) =>
    runs.map(({ column, text, style }) => {
      const [x, y] = [PADDING + column * CELL_WIDTH, PADDING + row * LINE_HEIGHT + FONT_SIZE];
      // The font may be narrower or wider than the cell.
      const length = (text.length * CELL_WIDTH).toFixed(1);
      return `<text x="${x.toFixed(1)}" y="${y}" textLength="${length}"${style}>${escapeXml(text)}</text>`;
    }),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width.toFixed(1)} ${height}" width="${Math.ceil(width)}">`,
    '<style>text { white-space: pre }</style>',
    `<rect width="100%" height="100%" rx="8" fill="${BACKGROUND}"/>`,
    `<g font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="${FONT_SIZE}" fill="${FOREGROUND}">`,
    ...texts,
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

/** Returns the parts of a line that have the same style; a part without text is left out. */
function findRuns(terminal: Terminal, row: number): Run[] {
  const line = terminal.buffer.active.getLine(row)!;
  const runs: Run[] = [];
  for (let column = 0; column < line.translateToString(true).length; column++) {
    const cell = line.getCell(column)!;
    const [style, last] = [formatStyle(cell), runs.at(-1)];
    if (last?.style === style) last.text += cell.getChars() || ' ';
    else runs.push({ column, style, text: cell.getChars() || ' ' });
  }
  return runs.filter(({ text }) => text.trim() !== '');
}

function formatStyle(cell: IBufferCell): string {
  const color = cell.isFgPalette() ? ` fill="${COLORS[cell.getFgColor()]}"` : '';
  return (cell.isBold() ? ' font-weight="bold"' : '') + color;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
