// The output of commands in a terminal, and the pictures of it in the docs.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Controller, Get } from '@nestjs/common';
import type { Terminal } from '@xterm/headless';
import { start, type Running } from '../e2e/application.js';
import { drawScreen } from './terminal-picture.js';
import { readLines, TerminalSession } from './terminal-session.js';

const PICTURES = join(__dirname, '../../docs/images');
/** `UPDATE_PICTURES=1 npx jest --selectProjects slow --testPathPatterns cli/terminal` writes the pictures. */
const updatesPictures = Boolean(process.env.UPDATE_PICTURES);

/** Returns the texts of a picture that are the same in each run. */
function readTexts(svg: string): string[] {
  const texts = svg.matchAll(/<text .*?>(.*)<\/text>/g);
  return [...texts].map(([, text]) => text!.replace(/id \w{8}|\(now\)|\(\S+ s ago\)|\d+/g, '#').replace(/ +/g, ' '));
}

let releaseReport: () => void;
const isReportReleased = new Promise<void>((resolve) => (releaseReport = resolve));
let startReport: () => void;
const isReportStarted = new Promise<void>((resolve) => (startReport = resolve));

@Controller()
class ShopController {
  @Get('report')
  async getReport(): Promise<string> {
    startReport();
    await isReportReleased;
    return 'the report';
  }
}

describe('the command line in a terminal', () => {
  let running: Running;

  beforeAll(async () => {
    running = await start('express', { controllers: [ShopController], options: { application: 'shop' } });
  });
  afterEach(() => running.maintenance.disable());
  afterAll(() => running.close());

  /** Checks the lines of a screen, and draws it for the docs. */
  function expectScreen(terminal: Terminal, picture: string, expected: (string | RegExp)[]): void {
    const lines = readLines(terminal).map((line) => line.trim());
    for (const line of expected) {
      expect(lines).toContainEqual(typeof line === 'string' ? line : expect.stringMatching(line));
    }
    const svg = drawScreen(terminal);
    // A color that the picture does not know.
    expect(svg).not.toContain('undefined');
    if (updatesPictures) writeFileSync(join(PICTURES, picture), svg);
    expect(readTexts(readFileSync(join(PICTURES, picture), 'utf8'))).toEqual(readTexts(svg));
  }

  it('lists its commands', async () => {
    const session = new TerminalSession(['npx nestjs-maintenance --help'], running.stateFile);
    expectScreen(await session.end(), 'terminal-help.svg', [
      '$ npx nestjs-maintenance --help',
      'Usage: nestjs-maintenance [options] [command]',
      /^run \[options\] \[command\.\.\.\] +run a command while maintenance is on$/,
    ]);
  });

  it('turns maintenance on, and shows it', async () => {
    const session = new TerminalSession(
      ['npx nestjs-maintenance on --message "Back at four" --for 30m', 'npx nestjs-maintenance status'],
      running.stateFile,
    );
    const terminal = await session.end();
    expect((await running.call('/')).status).toBe(503);
    expect(session.output).toContain('\u001B[33mMaintenance is ON\u001B[39m');
    expectScreen(terminal, 'terminal-on.svg', [
      'Maintenance is ON. A window was started.',
      /^until .*Z \(in 30 min\)$/,
      'set by ann@ops-1',
      'storage  file /srv/shop/maintenance-state.json',
      '1 instance of shop applies it',
      '$ npx nestjs-maintenance status',
      'Maintenance is ON.',
    ]);
  });

  it('runs a migration once the requests from before have finished', async () => {
    const report = running.call('/report');
    await isReportStarted;
    // The progress is a line that is cleared at the end.
    const session = new TerminalSession(
      ['npx nestjs-maintenance run --message "A larger database" -- echo migrated'],
      running.stateFile,
    );
    await session.shows('1 in flight: GET /report');
    expect(session.output).not.toContain('Running');
    expect((await running.call('/')).status).toBe(503);
    releaseReport();
    expect((await report).status).toBe(200);
    expectScreen(await session.end(), 'terminal-run.svg', [
      /^Drained after \d+ s: 1 instance refuses, and its in-flight requests have finished\.$/,
      'Running the command: echo migrated',
      'migrated',
      'Maintenance is off. One window was ended.',
    ]);
  });
});
