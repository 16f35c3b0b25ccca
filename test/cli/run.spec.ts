import { describeRun } from './describe-run.js';
import { RUN_ENDINGS } from './run-endings.js';
import { FILE } from './run-storages.js';

describeRun(
  FILE,
  RUN_ENDINGS.filter(({ isSlow }) => !isSlow),
);
