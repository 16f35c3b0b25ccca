require('reflect-metadata');
const check = require('./checks.cjs');

const modules = {
  common: require('@nestjs/common'),
  core: require('@nestjs/core'),
  fastify: require('@nestjs/platform-fastify'),
  library: require('nestjs-maintenance'),
  testing: require('nestjs-maintenance/testing'),
};
check(modules, process.argv[2]).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
