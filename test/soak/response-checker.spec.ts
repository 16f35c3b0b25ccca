import type { Answer, AppliedState, Fault, History, InstanceRun, Write } from './history.js';
import { checkResponses } from './response-checker.js';

const LIMITS = { maxDelayMs: 100, slackMs: 0 };

/** On at 1000 (revision 1), off at 2000 (2), on at 3000 (3), each confirmed after 10 ms by instance 9. */
const WRITES: Write[] = [write('write 0', 1_000, 1), write(null, 2_000, 2), write('write 2', 3_000, 3)];
/** Lasts from 2500 to 2800; answers may show it until 3500. */
const FAULT: Fault = { kind: 'cut', breaks: 'reads', losesData: false, from: 2_500, to: 2_800, recoveryMs: 700 };

/** Another write, off at 4000, whose outcome is unknown. */
const UNCERTAIN: Partial<History> = {
  writes: [...WRITES, { ...write(null, 4_000, 4), status: 502, revision: null }],
  faults: [{ ...FAULT, from: 3_900, to: 3_950 }],
};

describe('checkResponses with correct answers', () => {
  it.each<[string, Partial<InstanceRun>, Answer[], Partial<History>?]>([
    [
      'answers based on the current state',
      {},
      [refused(1_500, 'write 0', 1), admitted(2_500, 2), refused(3_500, 'write 2', 3)],
    ],
    ['the previous state within the maximum delay', {}, [admitted(3_105, 2)]],
    [
      'the previous state after the maximum delay if the instance was stalled',
      { stalls: [{ from: 3_050, to: 3_150 }] },
      [admitted(3_200, 2)],
    ],
    ['the new state before its write is confirmed', {}, [refused(2_995, 'write 2', 3)]],
    [
      'an outdated state while the storage fails',
      {},
      [answer(3_400, 200, null, by(2, 'last-known'))],
      { faults: [FAULT] },
    ],
    [
      'a refusal with onStorageFailure "on" while the storage fails',
      { policy: 'on' },
      [answer(2_600, 503, null, { isOn: true, revision: 2, source: 'fallback', message: null })],
      { faults: [FAULT] },
    ],
    [
      'an admission with onStorageFailure "off" while the storage fails',
      { policy: 'off' },
      [answer(3_200, 200, null, by(3, 'fallback'))],
      { faults: [FAULT] },
    ],
    [
      'a refusal with onStorageFailure "off" based on a known state while the storage fails',
      { policy: 'off' },
      [refused(3_200, 'write 2', 3)],
      { faults: [FAULT] },
    ],
    [
      'the new state after a write with an unknown outcome',
      {},
      [refused(3_500, 'write 2', 3), admitted(4_500, 4)],
      UNCERTAIN,
    ],
    ['the previous state after a write with an unknown outcome', {}, [refused(4_500, 'write 2', 3)], UNCERTAIN],
    [
      'an answer that was decided before a change and written after it',
      {},
      [answer(3_050, 200, null, { isOn: true, revision: 3, source: 'storage', message: 'write 2' })],
    ],
    ['a missing answer of an instance that was told to exit', { signalledAt: 1_400 }, [unanswered(1_500)]],
    [
      'a 503 of the HTTP server of an instance that was told to exit',
      { signalledAt: 1_400 },
      [{ ...refused(1_500, 'write 0', 1), message: null, applied: null }],
    ],
    [
      'an empty storage if the instance has never seen a write',
      { startedAt: 3_300 },
      [answer(3_400, 200, null, by(0, 'storage'))],
      { faults: [{ ...FAULT, from: 3_100, to: 9_000, losesData: true }] },
    ],
  ])('accepts %s', (_title, run, answers, history = {}) => {
    expect(checkAnswers(run, answers, history).violations).toEqual([]);
  });
});

describe('checkResponses with wrong answers or writes', () => {
  it.each<[string, Partial<InstanceRun>, Answer[], Partial<History>?]>([
    ['a status of 500', {}, [answer(1_500, 500, null, by(1))], { faults: [{ ...FAULT, from: 0, to: 9_000 }] }],
    ['a missing answer of an instance that was not told to exit', {}, [unanswered(1_500)]],
    ['a state that was replaced longer ago than the maximum delay', {}, [refused(2_150, 'write 0', 1)]],
    ['an answer that misses a confirmed write', {}, [admitted(9_000, 2)]],
    [
      'a state older than one shown before, during a fault',
      {},
      [admitted(2_400, 2), refused(2_600, 'write 0', 1)],
      { faults: [FAULT] },
    ],
    [
      'a state older than the one that the instance wrote itself, during a fault',
      { number: 9 },
      [admitted(3_050, 2)],
      { faults: [{ ...FAULT, to: 9_000 }] },
    ],
    [
      'an outdated revision whose state looks the same as the current one',
      {},
      [admitted(2_400, 2), admitted(4_500, 2)],
      { writes: [...WRITES, write(null, 4_000, 4)] },
    ],
    [
      'a 503 with onStorageFailure "off" while the known state is off',
      { policy: 'off' },
      [answer(2_600, 503, null, { isOn: true, revision: 2, source: 'fallback', message: null })],
      { faults: [FAULT] },
    ],
    [
      'a fallback to 200 with onStorageFailure "on"',
      { policy: 'on' },
      [answer(2_600, 200, null, by(2, 'fallback'))],
      { faults: [FAULT] },
    ],
    [
      'a fallback to 503 with onStorageFailure "last-known"',
      {},
      [admitted(2_400, 2), answer(2_600, 503, null, { isOn: true, revision: 2, source: 'fallback', message: null })],
      { faults: [FAULT] },
    ],
    [
      'a fallback to 200 with onStorageFailure "last-known" while the last known state is on',
      {},
      [refused(3_200, 'write 2', 3), answer(3_400, 200, null, by(3, 'fallback'))],
      { faults: [FAULT] },
    ],
    [
      'a fallback after the recovery time',
      { policy: 'off' },
      [answer(3_600, 200, null, by(3, 'fallback'))],
      { faults: [FAULT] },
    ],
    [
      'the last known state after the recovery time',
      {},
      [answer(3_600, 503, 'write 2', { ...by(3, 'last-known'), isOn: true, message: 'write 2' })],
      { faults: [FAULT] },
    ],
    ['an outdated state after the recovery time', {}, [admitted(3_600, 2)], { faults: [FAULT] }],
    [
      'an outdated state while only writes fail',
      {},
      [admitted(3_200, 2)],
      { faults: [{ ...FAULT, breaks: 'writes' }] },
    ],
    ['a refusal that does not name its state', {}, [{ ...refused(1_500, 'write 0', 1), applied: null }]],
    [
      'the previous state after an answer has shown that an unconfirmed write took effect',
      {},
      [admitted(4_500, 4), refused(4_600, 'write 2', 3)],
      UNCERTAIN,
    ],
    ['a state that was never written', {}, [refused(2_600, 'write 7', 7)], { faults: [FAULT] }],
    [
      'an empty storage if the instance has seen a write',
      {},
      [refused(3_050, 'write 2', 3), answer(3_400, 200, null, by(0, 'storage'))],
      { faults: [{ ...FAULT, from: 3_100, to: 9_000, losesData: true }] },
    ],
    [
      'a write that fails with 502 without a fault',
      {},
      [],
      { writes: [{ ...WRITES[0]!, status: 502, revision: null }] },
    ],
    [
      'a write that fails with 500',
      {},
      [],
      { writes: [{ ...WRITES[0]!, status: 500, revision: null }], faults: [{ ...FAULT, from: 0, to: 9_000 }] },
    ],
  ])('rejects %s', (_title, run, answers, history = {}) => {
    expect(checkAnswers(run, answers, history).violations).toHaveLength(1);
  });
});

it('reports how long answers showed a fault after its end', () => {
  const result = checkAnswers({}, [admitted(3_150, 2), refused(3_300, 'write 2', 3)], { faults: [FAULT] });
  expect(result).toMatchObject({ violations: [], healthy: 0, recoveryMs: { cut: 350 } });
});

function checkAnswers(
  run: Partial<InstanceRun>,
  answers: Answer[],
  history: Partial<History>,
): ReturnType<typeof checkResponses> {
  const checked: InstanceRun = { ...createRun(1), ...run, answers };
  const runs = checked.number === 9 ? [checked] : [checked, createRun(9)];
  return checkResponses({ writes: WRITES, faults: [], stalls: [], runs, ...history }, LIMITS);
}

function createRun(number: number): InstanceRun {
  const unsignalled = { startedAt: 0, signalledAt: Infinity };
  return {
    number,
    name: `instance ${number}`,
    policy: 'last-known',
    ...unsignalled,
    answers: [],
    stalls: [],
    samples: [],
  };
}

function write(message: string | null, sentAt: number, revision: number): Write {
  return { message, by: 9, sentAt, endedAt: sentAt + 10, status: 200, revision };
}

function by(revision: number, source: AppliedState['source'] = 'storage'): AppliedState {
  return { isOn: false, revision, source, message: null };
}

function admitted(at: number, revision: number): Answer {
  return answer(at, 200, null, by(revision));
}

function refused(at: number, message: string, revision: number): Answer {
  return answer(at, 503, message, { isOn: true, revision, source: 'storage', message });
}

function answer(at: number, status: number, message: string | null, applied: AppliedState): Answer {
  return { sentAt: at, receivedAt: at + 10, status, message, applied };
}

function unanswered(at: number): Answer {
  return { sentAt: at, receivedAt: at + 10, status: null, message: null, applied: null, error: 'ECONNRESET' };
}
