#!/usr/bin/env node
// CommonJS, because Node starts it faster than ES modules.
const { enableCompileCache } = require('node:module');

// From Node 22.8 on.
enableCompileCache?.();

const { version } = require('../package.json');
const { run } = require('../dist/bin/standalone.cjs');

run(process.argv, version);
