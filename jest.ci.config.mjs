// For `.ci/run`, besides `npm test` and `npm run test:long`: the other tests, apart from those that have a long form.
import config, { LONG, QUICK } from './jest.config.mjs';

const quick = QUICK.map(({ displayName }) => displayName);

export default {
  ...config,
  projects: config.projects
    .filter(({ displayName }) => !quick.includes(displayName))
    .map((project) => ({
      ...project,
      testMatch: [
        ...project.testMatch,
        ...LONG.filter(([name]) => name === project.displayName).map(([, file]) => `!**/${file}`),
      ],
    })),
};
