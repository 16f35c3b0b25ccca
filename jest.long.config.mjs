// The tests that gain by repetition, in their long form.
import config from './jest.config.mjs';

Object.assign(process.env, {
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
  projects: config.projects.map((project) => ({
    ...project,
    testMatch: project.testMatch.map((pattern) =>
      pattern.replace('*.spec.ts', '{crash,race,garbage,agreement,load,drain}.spec.ts'),
    ),
  })),
};
