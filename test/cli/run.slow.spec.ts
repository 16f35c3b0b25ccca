import { describeRun } from './describe-run.js';
import { RUN_ENDINGS } from './run-endings.js';
import { FILE, POSTGRES, REDIS, S3 } from './run-storages.js';

it('has at least 40 endings', () => expect(RUN_ENDINGS.length).toBeGreaterThanOrEqual(40));

describeRun(
  FILE,
  RUN_ENDINGS.filter(({ isSlow }) => isSlow),
);
for (const kind of [REDIS, S3]) describeRun(kind, RUN_ENDINGS);
describeRun(
  POSTGRES,
  RUN_ENDINGS.filter(({ name }) => name.startsWith('the storage')),
);
