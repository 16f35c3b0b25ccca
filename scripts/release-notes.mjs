// Prints what CHANGELOG.md says of a version.
import { readFileSync } from 'node:fs';
import { makeLinksAbsolute } from './absolute-links.mjs';
import { readReleaseNotes } from './changelog.mjs';

const [, , version] = process.argv;
const { homepage } = JSON.parse(readFileSync('libs/maintenance/package.json', 'utf8'));
const notes = readReleaseNotes(readFileSync('CHANGELOG.md', 'utf8'), version);
process.stdout.write(makeLinksAbsolute(notes, { homepage, version }));
