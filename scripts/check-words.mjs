/** Finds vague words in source, messages, tests and documentation, and names what to write instead. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';

const PLACES = [
  'libs/maintenance/src',
  'apps',
  'bench',
  'docs',
  'samples',
  'test',
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
];
const EXTENSIONS = new Set(['.ts', '.tsx', '.mjs', '.js', '.md', '.html', '.hbs']);
const SKIPPED = new Set(['node_modules', 'dist', 'results']);

const WORDS = [
  { pattern: /\bnobody\b/gi, use: 'name the actor: "no instance", "no client"' },
  { pattern: /\b(some|every)body\b/gi, use: 'name the actor: "another instance", "all clients"' },
  { pattern: /\bwho(so)?ever\b/gi, use: 'name the actor: "clients that", "the caller"' },
  // `'he'` and `he:` are the tag of Hebrew.
  { pattern: /(?<!')\b(he|him|his|himself)\b(?!'|: )/gi, use: '"you", or name the actor' },
  { pattern: /\bvisitors?\b/gi, use: '"client", "user" or "request"' },
  { pattern: /\banew\b/gi, use: '"again", or a verb with "re-"' },
  { pattern: /\b(let|lets|letting) (it |them |anyone )?in\b/gi, use: '"admit"' },
  { pattern: /\b(turn|turns|turned|turning) (it |them )?away\b/gi, use: '"refuse"' },
  { pattern: /\b(hold|holds|held|holding) up\b/gi, use: '"delay", "block" or "keep waiting"' },
  { pattern: /\b(go|goes|going|went|gone) on\b/gi, use: '"continue" or "resume"' },
  { pattern: /\b(say|says|said|saying) so\b/gi, use: '"report", "name" or "log" with the object' },
  {
    pattern: /(?:\/\*\*\s*(?:\* )?|(?<!\/\/.*\n\s*)\/\/ )\b(?:What|Who|Whoever)\b/g,
    use: 'a verb ("Returns"), "Whether" or a noun',
  },
];

function listFiles(place) {
  if (statSync(place).isFile()) return [place];
  return readdirSync(place, { withFileTypes: true })
    .filter((entry) => !SKIPPED.has(entry.name) && (entry.isDirectory() || EXTENSIONS.has(extname(entry.name))))
    .flatMap((entry) => listFiles(join(place, entry.name)));
}

function findWords(file) {
  const text = readFileSync(file, 'utf8');
  return WORDS.flatMap(({ pattern, use }) =>
    [...text.matchAll(pattern)].map(({ 0: match, index }) => {
      const word = match.replace(/^[\s/*]+/, '');
      const line = text.slice(0, index + match.length).split('\n').length;
      return { line, text: `${file}:${line} "${word}": use ${use}` };
    }),
  ).sort((a, b) => a.line - b.line);
}

// Folders and files can be named to check only these.
const places = process.argv.length > 2 ? process.argv.slice(2) : PLACES;
const findings = places.flatMap(listFiles).flatMap(findWords);
for (const { text } of findings) console.error(text);
if (findings.length > 0) {
  console.error(`${findings.length} words to replace.`);
  process.exitCode = 1;
}
