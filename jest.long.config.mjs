// The tests that gain by repetition, in their long form.
import config from './jest.config.mjs';

Object.assign(process.env, {
  AGREEMENT_RUNS: '2000',
  CRASH_ROUNDS: '200',
  RACE_WRITES: '250',
  FUZZ_RUNS: '5000',
  FLEET_TOGGLES: '300',
  LOAD_TOGGLES: '200',
  DRAIN_ROUNDS: '10',
});

const FILES = [
  ['nest12', 'test/e2e/corrupt-state.spec.ts'],
  ['slow', 'test/e2e/middleware-and-guard.slow.spec.ts'],
  ['slow', 'test/storage/{crash,race}.slow.spec.ts'],
  ['slow', 'test/fleet/{concurrent-changes,drain-under-load,load}.slow.spec.ts'],
];

export default {
  ...config,
  // Each of them uses the whole machine.
  maxWorkers: 1,
  projects: config.projects
    .map((project) => ({
      ...project,
      testMatch: FILES.filter(([name]) => name === project.displayName).map(([, file]) => `<rootDir>/${file}`),
    }))
    .filter(({ testMatch }) => testMatch.length > 0),
};
