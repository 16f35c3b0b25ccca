// 10,000 cases for each property of test/fuzz and of what uses its cases.
import config from './jest.config.mjs';

process.env.FUZZ_RUNS ||= '10000';

const named = (name) => config.projects.find(({ displayName }) => displayName === name);

export default {
  ...config,
  projects: [named('fuzz'), { ...named('nest12'), testMatch: ['<rootDir>/test/e2e/corrupt-state.spec.ts'] }],
};
