import { maintenanceOf } from './maintenance-of.js';

const END = '2030-12-01T04:00:00.000Z';
const until = `@${Date.parse(END) / 1000}`;
const create = (headers: Record<string, string>, status = 503): Response => new Response('', { status, headers });
const NOTHING_MORE = { until: null, retryAfter: null };

describe('maintenanceOf()', () => {
  it.each<[string, object]>([
    ['full', { mode: 'full', scope: '*' }],
    ['read-only', { mode: 'read-only', scope: '*' }],
    ['full, read-only', { mode: 'full', scope: '*' }],
    ['full;scope="payments"', { mode: 'full', scope: 'payments' }],
    ['full; scope="a \\"b\\" \\\\;until=@1"', { mode: 'full', scope: 'a "b" \\;until=@1' }],
    ['full;scope=%"z%c3%bcrich \\ %22x%22"', { mode: 'full', scope: 'zürich \\ "x"' }],
    ['full;scope=%"%ff"', { mode: 'full', scope: '*' }],
    [`read-only;scope="*";until=${until}`, { mode: 'read-only', scope: '*', until: new Date(END) }],
    [`full;until=${until};scope="x";other=1`, { mode: 'full', scope: 'x', until: new Date(END) }],
  ])('reads the header %s', (header, expected) => {
    expect(maintenanceOf(create({ 'Maintenance-Mode': header }))).toEqual({ ...NOTHING_MORE, ...expected });
  });

  it.each(['', 'fuller', 'off', '?1', '"full"'])('ignores the header %j', (header) => {
    expect(maintenanceOf(create({ 'Maintenance-Mode': header, 'Retry-After': '60' }))).toBeNull();
  });

  it('reads Retry-After', () => {
    const read = (value: string): unknown =>
      maintenanceOf(create({ 'Maintenance-Mode': 'full', 'Retry-After': value }))?.retryAfter;
    expect(read('120')).toBe(120);
    expect(read('0')).toBe(0);
    for (const value of ['soon', '-1', 'Sun, 01 Dec 2030 04:00:00 GMT']) expect(read(value)).toBeNull();
  });

  it('reads the response and the error of axios, by its headers or its body', () => {
    const headers = { 'maintenance-mode': `full;scope="payments";until=${until}`, 'retry-after': '60' };
    const found = { mode: 'full', scope: 'payments', until: new Date(END), retryAfter: 60 };
    const data = { errorCode: 'MAINTENANCE', mode: 'full', scope: 'payments', endsAt: END, retryAfter: 60 };
    for (const response of [
      { status: 503, headers, data: '' },
      { status: 503, headers: new Headers(headers), data: '' },
      { status: 503, headers: {}, data },
    ]) {
      expect(maintenanceOf(response)).toEqual(found);
      expect(maintenanceOf(Object.assign(new Error('503'), { response }))).toEqual(found);
    }
    expect(maintenanceOf(data)).toEqual(found);
    const forced = { errorCode: 'MAINTENANCE', mode: 'full', scope: '*', endsAt: null, retryAfter: null };
    expect(maintenanceOf(forced)).toEqual({ ...NOTHING_MORE, mode: 'full', scope: '*' });
  });

  it.each<[string, unknown]>([
    ['the 503 of a proxy', create({ 'Retry-After': '60' })],
    ['a success', create({}, 200)],
    ['an error without a response', new Error('Network Error')],
    ['an error of axios without a response', Object.assign(new Error('Network Error'), { response: undefined })],
    ['another problem', { status: 503, headers: {}, data: { errorCode: 'OTHER', mode: 'full' } }],
    ['a page', { status: 503, headers: {}, data: '<h1>Bad gateway</h1>' }],
    ['no body', { status: 503, headers: {}, data: null }],
    ['null', null],
    ['undefined', undefined],
    ['text', 'full'],
  ])('returns null for %s', (_what, response) => {
    expect(maintenanceOf(response)).toBeNull();
  });
});
