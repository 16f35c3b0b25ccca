// Prints what CHANGELOG.md says of a version.
import { readFileSync } from 'node:fs';
import { readReleaseNotes } from './changelog.mjs';

process.stdout.write(readReleaseNotes(readFileSync('CHANGELOG.md', 'utf8'), process.argv[2]));
