// The tests of `LONG` in their long form.
import config, { LONG } from './jest.config.mjs';

Object.assign(process.env, {
  AGREEMENT_RUNS: '2000',
  CRASH_ROUNDS: '200',
  RACE_WRITES: '250',
  FUZZ_RUNS: '5000',
  FLEET_TOGGLES: '300',
  LOAD_TOGGLES: '200',
  DRAIN_ROUNDS: '10',
});

export default {
  ...config,
  // Each of them uses the whole machine.
  maxWorkers: 1,
  projects: config.projects
    .map((project) => ({
      ...project,
      testMatch: LONG.filter(([name]) => name === project.displayName).map(([, file]) => `<rootDir>/${file}`),
    }))
    .filter(({ testMatch }) => testMatch.length > 0),
};
