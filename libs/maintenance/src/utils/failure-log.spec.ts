import { Logger } from '@nestjs/common';
import { FailureLog } from './failure-log.js';
import { ManualClock } from '../testing/manual-clock.js';

describe('FailureLog', () => {
  let clock: ManualClock;
  let failures: FailureLog;
  let lines: string[];

  beforeEach(() => {
    clock = new ManualClock('2026-12-01T02:00Z');
    failures = new FailureLog(clock);
    lines = [];
    const note = (line: unknown): void => void lines.push(String(line));
    jest.spyOn(Logger.prototype, 'error').mockImplementation(note);
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(note);
  });
  afterEach(() => jest.restoreAllMocks());

  it('logs one line per minute and kind, and counts the suppressed ones', async () => {
    for (let second = 0; second < 130; second++) {
      failures.error('a', () => `a ${second}`);
      if (second === 70) failures.warn('b', () => 'b');
      await clock.moveTo(clock.now() + 1_000);
    }
    expect(lines).toEqual([
      'a 0',
      'a 60 (and 59 more since 2026-12-01T02:00:00.000Z)',
      'b',
      'a 120 (and 59 more since 2026-12-01T02:01:00.000Z)',
    ]);
  });

  it('reports no suppressed failures between lines more than a minute apart', async () => {
    failures.error('a', () => 'first');
    await clock.moveTo('2026-12-01T03:00Z');
    failures.error('a', () => 'second');
    expect(lines).toEqual(['first', 'second']);
  });

  it('keeps logging after the clock was set back', async () => {
    failures.error('a', () => 'first');
    await clock.moveTo('2026-12-01T01:00Z');
    failures.error('a', () => 'second');
    expect(lines).toEqual(['first', 'second']);
  });

  it('keeps no timer running', () => {
    failures.error('a', () => 'first');
    failures.error('a', () => 'second');
    expect(clock.pending).toBe(0);
  });

  it('escapes and truncates external text to one line', () => {
    failures.error('a', () => 'x\r\n\u001b[31mERROR \u202egone\u2028');
    failures.error('b', () => 'x'.repeat(2_000));
    expect(lines).toEqual(['x\\u000d\\n\\u001b[31mERROR \\u202egone\\u2028', `${'x'.repeat(1_000)}...`]);
  });
});
