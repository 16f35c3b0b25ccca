import { StateMonitor } from '../core/state-monitor.js';
import type { StoredWindow } from '../core/maintenance-window.js';
import { ManualClock } from '../testing/manual-clock.js';
import type { HandlerRules } from './handler-rules.js';
import { MaintenancePolicy, type PolicyOptions } from './maintenance-policy.js';

const NOW = '2026-12-06T03:30:00.000Z';
const MINUTE = 60;

function createWindow(id: string, more: Partial<StoredWindow> = {}): StoredWindow {
  return {
    id,
    scope: '*',
    mode: 'full',
    startsAt: '2026-12-06T03:00:00.000Z',
    endsAt: null,
    createdAt: '2026-12-06T03:00:00.000Z',
    ...more,
  };
}

// Each ends at another time, so that Retry-After tells which of them counts.
const ALL = createWindow('all', { endsAt: '2026-12-06T03:40:00.000Z' });
const ALL_OPEN_END = createWindow('all open end');
const ALL_READ_ONLY = createWindow('all read-only', { mode: 'read-only', endsAt: '2026-12-06T03:50:00.000Z' });
const PAYMENTS = createWindow('payments', { scope: 'payments', endsAt: '2026-12-06T04:00:00.000Z' });
const PAYMENTS_READ_ONLY = createWindow('payments read-only', {
  scope: 'payments',
  mode: 'read-only',
  endsAt: '2026-12-06T04:10:00.000Z',
});
// Sundays from three to four; it is half past three on one.
const SUNDAYS = createWindow('sundays', {
  startsAt: '2026-01-01T00:00:00.000Z',
  recurrence: { cron: '0 3 * * 0', timeZone: 'UTC', duration: 45 * MINUTE * 1000 },
});
const PLANNED = createWindow('planned', { startsAt: '2026-12-06T05:00:00.000Z' });
// Held by a program that says every now and then that it still lives.
const LEASED = createWindow('leased', { leaseUntil: '2026-12-06T03:31:00.000Z' });
const LEASED_TO_AN_END = createWindow('leased to an end', {
  endsAt: '2026-12-06T03:55:00.000Z',
  leaseUntil: '2026-12-06T03:31:00.000Z',
});
const TOLD = createWindow('told', { endsAt: '2026-12-06T03:31:00.000Z', retryAfter: 7 });

const createRules = (more: Partial<HandlerRules> = {}): HandlerRules => ({
  override: null,
  scopes: ['*'],
  access: null,
  isAdmin: false,
  isEventStream: false,
  probeKind: null,
  ...more,
});
const VISITS = {
  'GET /shop': { method: 'GET', rules: createRules() },
  'POST /shop': { method: 'POST', rules: createRules() },
  'GET /pay': { method: 'GET', rules: createRules({ scopes: ['*', 'payments'] }) },
  'POST /pay': { method: 'POST', rules: createRules({ scopes: ['*', 'payments'] }) },
  'GET a file': { method: 'GET', rules: null },
};

async function policyOver(windows: StoredWindow[], more: Partial<PolicyOptions> = {}): Promise<MaintenancePolicy> {
  const clock = new ManualClock(NOW);
  const state = { format: 1 as const, lineage: 'spec', revision: 1, windows, history: [] };
  const monitor = new StateMonitor({
    source: { read: () => Promise.resolve({ state, version: '1' }) },
    clock,
    refreshInterval: 5_000,
    onStorageFailure: 'last-known',
  });
  await monitor.refresh();
  const never = (): boolean => false;
  return new MaintenancePolicy(monitor, clock, {
    exemptions: {
      matchesPath: never,
      matchesAddress: null,
      exemptAll: false,
      exemptProbes: false,
      roles: new Set(),
      user: () => undefined,
      getMountPoints: () => ({ globalPrefix: '', versionPrefix: null }),
    },
    bypassCookieName: 'bypass',
    retryAfter: 60 * MINUTE,
    onError: () => undefined,
    ...more,
  });
}

/** `null`: admitted; else the window that counts, and the seconds that are told. */
type Row = [title: string, windows: StoredWindow[], ...answers: ([id: string, retryAfter: number] | null)[]];

describe('MaintenancePolicy with overlapping windows', () => {
  const names = Object.keys(VISITS) as (keyof typeof VISITS)[];
  const all = (id: string, minutes: number): [string, number] => [id, minutes * MINUTE];

  const rows: Row[] = [
    ['none', [], null, null, null, null, null],
    ['one that is planned', [PLANNED], null, null, null, null, null],
    ['all scopes', [ALL], all('all', 10), all('all', 10), all('all', 10), all('all', 10), all('all', 10)],
    ['one scope', [PAYMENTS], null, null, all('payments', 30), all('payments', 30), null],
    [
      'a part within everything, which ends later',
      [ALL, PAYMENTS],
      all('all', 10),
      all('all', 10),
      all('payments', 30),
      all('payments', 30),
      all('all', 10),
    ],
    [
      'a part within everything, which has no end',
      [PAYMENTS, ALL_OPEN_END],
      all('all open end', 60),
      all('all open end', 60),
      all('all open end', 60),
      all('all open end', 60),
      all('all open end', 60),
    ],
    ['read-only', [ALL_READ_ONLY], null, all('all read-only', 20), null, all('all read-only', 20), null],
    [
      'read-only under full',
      [ALL, ALL_READ_ONLY],
      all('all', 10),
      all('all read-only', 20),
      all('all', 10),
      all('all read-only', 20),
      all('all', 10),
    ],
    [
      'read-only for all scopes, full for one scope',
      [ALL_READ_ONLY, PAYMENTS],
      null,
      all('all read-only', 20),
      all('payments', 30),
      all('payments', 30),
      null,
    ],
    [
      'full for all scopes, read-only for one scope for longer',
      [ALL, PAYMENTS_READ_ONLY],
      all('all', 10),
      all('all', 10),
      all('all', 10),
      all('payments read-only', 40),
      all('all', 10),
    ],
    [
      'a recurring window',
      [SUNDAYS],
      all('sundays', 15),
      all('sundays', 15),
      all('sundays', 15),
      all('sundays', 15),
      all('sundays', 15),
    ],
    [
      'a recurring window and a single one that ends before it',
      [SUNDAYS, ALL],
      all('sundays', 15),
      all('sundays', 15),
      all('sundays', 15),
      all('sundays', 15),
      all('sundays', 15),
    ],
    [
      'a recurring window and one for a scope that ends after it',
      [PAYMENTS, SUNDAYS],
      all('sundays', 15),
      all('sundays', 15),
      all('payments', 30),
      all('payments', 30),
      all('sundays', 15),
    ],
    [
      'a window with a lease, which is not an announced end',
      [ALL, LEASED],
      all('leased', 60),
      all('leased', 60),
      all('leased', 60),
      all('leased', 60),
      all('leased', 60),
    ],
    [
      'a window with a lease and an announced end',
      [ALL, LEASED_TO_AN_END],
      all('leased to an end', 25),
      all('leased to an end', 25),
      all('leased to an end', 25),
      all('leased to an end', 25),
      all('leased to an end', 25),
    ],
    ['a window with its own Retry-After', [TOLD], ['told', 7], ['told', 7], ['told', 7], ['told', 7], ['told', 7]],
  ];

  it.each(rows)('decides by the covering window: %s', async (_title, windows, ...expected) => {
    const policy = await policyOver(windows);
    const found = names.map((name) => {
      const { method, rules } = VISITS[name];
      const decision = policy.decide({ rules, request: { method, url: '/' }, context: null });
      if (decision === 'admitted') return [name, null];
      if (typeof decision === 'string' || decision instanceof Promise) return [name, decision];
      return [name, [decision.window?.id, decision.retryAfter]];
    });
    expect(found).toEqual(names.map((name, index) => [name, expected[index]]));
  });
});

describe('MaintenancePolicy with windows that admit addresses', () => {
  const TESTERS = createWindow('testers', { allowIps: ['10.0.0.0/8'] });
  const PAY = createRules({ scopes: ['*', 'payments'] });
  const NOTHING = { source: 'storage', forced: null, active: [] } as const;
  const request = { method: 'GET', url: '/', ip: '10.1.2.3' };

  it('reads the address of a request only where a window admits addresses', async () => {
    let reads = 0;
    const counting = { method: 'GET', url: '/', getIp: () => reads++ };
    Object.defineProperty(counting, 'ip', { get: () => String(counting.getIp()) });
    void (await policyOver([ALL])).decide({ rules: createRules(), request: counting, context: null });
    expect(reads).toBe(0);
    void (await policyOver([ALL, TESTERS])).decide({ rules: createRules(), request: counting, context: null });
    expect(reads).toBe(1);
  });

  it.each([
    ['admits the address', [TESTERS], createRules(), request, 'exempt'],
    ['admits the address to a file', [TESTERS], null, request, 'exempt'],
    ['admits no other address', [TESTERS], createRules(), { ...request, ip: '11.0.0.1' }, 'testers'],
    ['admits no call without a request', [TESTERS], createRules(), null, 'testers'],
    ['does not cover the call', [{ ...TESTERS, scope: 'payments' }], createRules(), request, 'admitted'],
    ['stands beside one that does not', [TESTERS, PAYMENTS], PAY, request, 'payments'],
    ['stands beside one that does not cover the call', [TESTERS, PAYMENTS], createRules(), request, 'exempt'],
    ['does not undo @ForceMaintenance()', [TESTERS], createRules({ override: 'refuse' }), request, null],
  ])('decides about a call if a window %s', async (_, windows, rules, call, expected) => {
    const policy = await policyOver(windows);
    const decision = policy.decide({ rules, request: call, context: null });
    const found = await decision;
    expect(typeof found === 'object' ? (found.window?.id ?? null) : found).toBe(expected);
    expect(JSON.stringify(decision)).not.toContain('10.0.0.0');
  });

  it('leaves a call to the guard if `scopesOf` decides which windows cover it', async () => {
    const policy = await policyOver([TESTERS, PAYMENTS], { scopesOf: () => ['payments'] });
    const call = { rules: createRules(), request };
    expect(policy.decide({ ...call, context: null })).toBe('undecided');
    expect(policy.decide({ ...call, context: {} as never })).toMatchObject({ window: { id: 'payments' } });
  });

  it.each(['unclear', createRules()] as const)('does not wait for requests of these addresses (%j)', async (rules) => {
    const policy = await policyOver([TESTERS]);
    const call = { rules, request, context: null };
    expect(policy.becameRefusedSince(call, NOTHING)).toBe(false);
    expect(policy.becameRefusedSince({ ...call, request: { ...request, ip: '11.0.0.1' } }, NOTHING)).toBe(true);
    expect((await policyOver([TESTERS, ALL])).becameRefusedSince(call, NOTHING)).toBe(true);
  });
});

describe('MaintenancePolicy for background work', () => {
  const ANY = { scopes: ['*'] };
  const PAY = { scopes: ['*', 'payments'] };
  const NOTHING = { source: 'storage', forced: null, active: [] } as const;

  it.each<[string, StoredWindow[], boolean, boolean]>([
    ['no scope', [], false, false],
    ['a scope that is only planned', [PLANNED], false, false],
    ['all scopes', [ALL], true, true],
    ['all scopes on a schedule', [SUNDAYS], true, true],
    ['one scope', [PAYMENTS], false, true],
    ['all scopes, read-only', [ALL_READ_ONLY], false, false],
    ['one scope, read-only', [PAYMENTS_READ_ONLY], false, false],
  ])('decides whether background work is paused and waited for under a window on %s', async (_, windows, any, pay) => {
    const policy = await policyOver(windows);
    expect([policy.shouldPause(ANY), policy.shouldPause(PAY)]).toEqual([any, pay]);
    expect([policy.becamePausedSince(ANY, NOTHING), policy.becamePausedSince(PAY, NOTHING)]).toEqual([any, pay]);
  });

  it('does not wait for work that began during the window', async () => {
    const policy = await policyOver([ALL, PAYMENTS]);
    expect(policy.becamePausedSince(PAY, { ...NOTHING, active: [ALL] })).toBe(true);
    expect(policy.becamePausedSince(ANY, { ...NOTHING, active: [ALL] })).toBe(false);
    expect(policy.becamePausedSince(PAY, { ...NOTHING, active: [ALL, PAYMENTS] })).toBe(false);
  });

  it('ignores exemptions and request scopes for background work', async () => {
    const policy = await policyOver([PAYMENTS], { scopesOf: () => ['payments'] });
    expect([policy.shouldPause(ANY), policy.becamePausedSince(ANY, NOTHING)]).toEqual([false, false]);
  });
});
