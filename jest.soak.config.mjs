// The soak in its long form. Each storage takes some 20 seconds longer than `SOAK_SECONDS`, because instances start and
// the last fault has to end.
import config from './jest.config.mjs';

process.env.SOAK_SECONDS ||= '85';

export default {
  ...config,
  maxWorkers: 1,
  projects: config.projects
    .filter(({ displayName }) => displayName === 'system')
    .map((project) => ({ ...project, testMatch: ['<rootDir>/test/soak/soak.spec.ts'] })),
};
