import { Logger } from '@nestjs/common';
import type { MaintenanceStatus } from '../maintenance-status.js';
import type { MaintenanceWindow } from '../maintenance-window.js';
import { MaintenanceLogger } from '../../utils/maintenance-logger.js';
import { StateLog } from './state-log.js';

afterEach(() => jest.restoreAllMocks());

function createWindows(count: number): MaintenanceWindow[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `w${index}`,
    scope: `part-${index}`,
    mode: 'full',
    startsAt: '2026-12-01T02:00:00.000Z',
    endsAt: null,
    createdAt: '2026-12-01T02:00:00.000Z',
  }));
}

function createStatus(active: number, planned: number): MaintenanceStatus {
  return {
    active: active > 0,
    source: 'storage',
    revision: 7,
    windows: { active: createWindows(active), planned: createWindows(planned) },
    storage: { kind: 'memory', location: 'here', healthy: true, lastReadAt: null },
  };
}

it('describes the first five windows in one line and counts the others', () => {
  const lines: string[] = [];
  jest.spyOn(Logger.prototype, 'log').mockImplementation((line: string) => void lines.push(line));
  const log = new StateLog({
    logger: new MaintenanceLogger(),
    location: 'here',
    application: 'shop',
    howToTurnOn: 'Turn it on.',
  });
  log.logChange(createStatus(5_000, 6), null, []);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(
    /part-4, full, .*, and 4995 more; planned: .*part-4, .*, and 1 more \(revision 7, here, application shop\)\.$/,
  );
  expect(lines[0]!.length).toBeLessThan(2_000);
});
