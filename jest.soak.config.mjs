// The soak in its long form. It takes a minute longer than `SOAK_SECONDS`, because instances start and the last fault
// of each storage has to end.
import config from './jest.config.mjs';

process.env.SOAK_SECONDS ||= '250';

export default {
  ...config,
  maxWorkers: 1,
  projects: config.projects
    .filter(({ displayName }) => displayName === 'system')
    .map((project) => ({ ...project, testMatch: ['<rootDir>/test/soak/soak.spec.ts'] })),
};
