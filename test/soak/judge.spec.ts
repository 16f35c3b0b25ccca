import type { Answer, Basis, Fault, History, Life, Write } from './history.js';
import { judge } from './judge.js';

const RULES = { bound: 100, slack: 0 };

/** On at 1000 as revision 1, off at 2000 as revision 2, on at 3000 as revision 3, each confirmed 10 ms later by process 9. */
const WRITES: Write[] = [write('write 0', 1_000, 1), write(null, 2_000, 2), write('write 2', 3_000, 3)];
/** From 2500 to 2800, and to be seen until 3500. */
const FAULT: Fault = { kind: 'cut', breaks: 'reads', forgets: false, from: 2_500, to: 2_800, recovery: 700 };

/** One write more, off at 4000, of which nobody knows what became. */
const UNCERTAIN: Partial<History> = {
  writes: [...WRITES, { ...write(null, 4_000, 4), status: 502, revision: null }],
  faults: [{ ...FAULT, from: 3_900, to: 3_950 }],
};

describe('the judge lets pass', () => {
  it.each<[string, Partial<Life>, Answer[], Partial<History>?]>([
    ['what is current', {}, [refused(1_500, 'write 0', 1), admitted(2_500, 2), refused(3_500, 'write 2', 3)]],
    ['the old state within the bound', {}, [admitted(3_105, 2)]],
    [
      'the old state after it, where the machine has stood still',
      { stalls: [{ from: 3_050, to: 3_150 }] },
      [admitted(3_200, 2)],
    ],
    ['the new state before it is confirmed', {}, [refused(2_995, 'write 2', 3)]],
    ['an old state while the storage fails', {}, [answer(3_400, 200, null, by(2, 'last-known'))], { faults: [FAULT] }],
    [
      'a refusal of everything by policy "on" while the storage fails',
      { policy: 'on' },
      [answer(2_600, 503, null, { isOn: true, revision: 2, source: 'fallback', message: null })],
      { faults: [FAULT] },
    ],
    [
      'an admission by policy "off" while the storage fails',
      { policy: 'off' },
      [answer(3_200, 200, null, by(3, 'fallback'))],
      { faults: [FAULT] },
    ],
    [
      'a refusal by policy "off" by a state that it knows, while the storage fails',
      { policy: 'off' },
      [refused(3_200, 'write 2', 3)],
      { faults: [FAULT] },
    ],
    ['what a write without an answer may have left', {}, [refused(3_500, 'write 2', 3), admitted(4_500, 4)], UNCERTAIN],
    ['what was there before a write without an answer', {}, [refused(4_500, 'write 2', 3)], UNCERTAIN],
    [
      'an answer that was decided before a change and made after it',
      {},
      [answer(3_050, 200, null, { isOn: true, revision: 3, source: 'storage', message: 'write 2' })],
    ],
    ['no answer of whoever was told to end', { signalledAt: 1_400 }, [unanswered(1_500)]],
    [
      'a refusal of its server, of whoever was told to end',
      { signalledAt: 1_400 },
      [{ ...refused(1_500, 'write 0', 1), message: null, basis: null }],
    ],
    [
      'nothing stored, of whoever has never known anything else',
      { startedAt: 3_300 },
      [answer(3_400, 200, null, by(0, 'storage'))],
      { faults: [{ ...FAULT, from: 3_100, to: 9_000, forgets: true }] },
    ],
  ])('%s', (_title, life, answers, history = {}) => {
    expect(verdictOn(life, answers, history).violations).toEqual([]);
  });
});

describe('the judge refuses', () => {
  it.each<[string, Partial<Life>, Answer[], Partial<History>?]>([
    ['a 500', {}, [answer(1_500, 500, null, by(1))], { faults: [{ ...FAULT, from: 0, to: 9_000 }] }],
    ['no answer of whoever nobody has ended', {}, [unanswered(1_500)]],
    ['a state that ended longer ago than the bound', {}, [refused(2_150, 'write 0', 1)]],
    ['a confirmed write that is lost', {}, [admitted(9_000, 2)]],
    [
      'a state that ended before the one that was shown, during a fault',
      {},
      [admitted(2_400, 2), refused(2_600, 'write 0', 1)],
      { faults: [FAULT] },
    ],
    [
      'a state older than the one that this process has written itself, during a fault',
      { number: 9 },
      [admitted(3_050, 2)],
      { faults: [{ ...FAULT, to: 9_000 }] },
    ],
    [
      'the old revision of a state that looks the same',
      {},
      [admitted(2_400, 2), admitted(4_500, 2)],
      { writes: [...WRITES, write(null, 4_000, 4)] },
    ],
    [
      'a 503 of an "off" instance whose state is off',
      { policy: 'off' },
      [answer(2_600, 503, null, { isOn: true, revision: 2, source: 'fallback', message: null })],
      { faults: [FAULT] },
    ],
    [
      'a 200 of an "on" instance that says it falls back',
      { policy: 'on' },
      [answer(2_600, 200, null, by(2, 'fallback'))],
      { faults: [FAULT] },
    ],
    [
      'a refusal of everything by "last-known"',
      {},
      [admitted(2_400, 2), answer(2_600, 503, null, { isOn: true, revision: 2, source: 'fallback', message: null })],
      { faults: [FAULT] },
    ],
    [
      'an admission by "last-known" whose last state is on',
      {},
      [refused(3_200, 'write 2', 3), answer(3_400, 200, null, by(3, 'fallback'))],
      { faults: [FAULT] },
    ],
    [
      'a fallback after the time to recover',
      { policy: 'off' },
      [answer(3_600, 200, null, by(3, 'fallback'))],
      { faults: [FAULT] },
    ],
    [
      'the last known state after the time to recover',
      {},
      [answer(3_600, 503, 'write 2', { ...by(3, 'last-known'), isOn: true, message: 'write 2' })],
      { faults: [FAULT] },
    ],
    ['an old state after the time to recover', {}, [admitted(3_600, 2)], { faults: [FAULT] }],
    ['an old state while only writes fail', {}, [admitted(3_200, 2)], { faults: [{ ...FAULT, breaks: 'writes' }] }],
    ['a refusal that says nothing of its own', {}, [{ ...refused(1_500, 'write 0', 1), basis: null }]],
    [
      'what was there before a write without an answer, of whoever has shown that it was written',
      {},
      [admitted(4_500, 4), refused(4_600, 'write 2', 3)],
      UNCERTAIN,
    ],
    ['a state that nobody has written', {}, [refused(2_600, 'write 7', 7)], { faults: [FAULT] }],
    [
      'nothing stored, of whoever knew better',
      {},
      [refused(3_050, 'write 2', 3), answer(3_400, 200, null, by(0, 'storage'))],
      { faults: [{ ...FAULT, from: 3_100, to: 9_000, forgets: true }] },
    ],
    ['a write that is refused while all is well', {}, [], { writes: [{ ...WRITES[0]!, status: 502, revision: null }] }],
    [
      'a write that ends in a 500',
      {},
      [],
      { writes: [{ ...WRITES[0]!, status: 500, revision: null }], faults: [{ ...FAULT, from: 0, to: 9_000 }] },
    ],
  ])('%s', (_title, life, answers, history = {}) => {
    expect(verdictOn(life, answers, history).violations).toHaveLength(1);
  });
});

it('the judge tells how long a fault was seen', () => {
  const verdict = verdictOn({}, [admitted(3_150, 2), refused(3_300, 'write 2', 3)], { faults: [FAULT] });
  expect(verdict).toMatchObject({ violations: [], settled: 0, agreement: { cut: 350 } });
});

function verdictOn(life: Partial<Life>, answers: Answer[], history: Partial<History>): ReturnType<typeof judge> {
  const judged: Life = { ...alive(1), ...life, answers };
  const lives = judged.number === 9 ? [judged] : [judged, alive(9)];
  return judge({ writes: WRITES, faults: [], stalls: [], lives, ...history }, RULES);
}

function alive(number: number): Life {
  const never = { startedAt: 0, signalledAt: Infinity };
  return { number, name: `instance ${number}`, policy: 'last-known', ...never, answers: [], stalls: [], samples: [] };
}

function write(message: string | null, sentAt: number, revision: number): Write {
  return { message, by: 9, sentAt, endedAt: sentAt + 10, status: 200, revision };
}

function by(revision: number, source: Basis['source'] = 'storage'): Basis {
  return { isOn: false, revision, source, message: null };
}

function admitted(at: number, revision: number): Answer {
  return answer(at, 200, null, by(revision));
}

function refused(at: number, message: string, revision: number): Answer {
  return answer(at, 503, message, { isOn: true, revision, source: 'storage', message });
}

function answer(at: number, status: number, message: string | null, basis: Basis): Answer {
  return { sentAt: at, heardAt: at + 10, status, message, basis };
}

function unanswered(at: number): Answer {
  return { sentAt: at, heardAt: at + 10, status: null, message: null, basis: null, error: 'ECONNRESET' };
}
