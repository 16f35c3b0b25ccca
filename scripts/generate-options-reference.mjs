// Writes the table of options in docs/configuration.md from the TSDoc of the options.
// `--check` fails if the table is out of date; `--json` prints what the TSDoc says.
import { readFileSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import ts from 'typescript';

/** The files that declare the options. */
const SOURCES = ['options/maintenance-options.ts', 'storage/cache/state-cache.ts'].map(
  (file) => `libs/maintenance/src/${file}`,
);
const PAGE = 'docs/configuration.md';
const [START, END] = ['<!-- options:start -->', '<!-- options:end -->'];

/** The section that explains an option in detail. */
const GUIDES = {
  storage: '../README.md#multiple-instances',
  adminToken: 'admin.md',
  viewerToken: 'panel.md',
  cache: 'cache.md',
  'exempt.urls': 'exemptions.md#urls',
  'exempt.ips': 'exemptions.md#ip-addresses',
  'exempt.roles': 'exemptions.md#users-and-roles',
  'exempt.probes': 'exemptions.md#probes',
  'response.template': 'response.md#custom-page',
  'response.page.languages': 'response.md#languages',
  'response.page.logo': 'response.md#the-built-in-page',
  'response.render': 'response.md#custom-page',
  'microservices.events': 'microservices.md#events',
  'background.pause': 'background.md',
  scopesOf: 'tenants.md',
  'announce.before': 'planning.md#announcements',
  'bypass.cookieName': 'bypass.md',
};

/** Defaults that depend on the program, which the source can't name. */
const COMPUTED_DEFAULTS = {
  storage: '[a file](#state-file)',
  application: '`name` in `package.json`',
  'response.template': 'built-in page',
};

/** Returns path, variable, default and description of each option, as its TSDoc says. */
function readOptions() {
  const statements = SOURCES.flatMap((file) => [
    ...ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true).statements,
  ]);
  const interfaces = new Map(
    statements.filter(ts.isInterfaceDeclaration).map((declaration) => [declaration.name.text, declaration]),
  );
  const readMembers = (name, prefix) =>
    interfaces.get(name).members.flatMap((member) => {
      const path = prefix + member.name.text;
      const types = ts.isUnionTypeNode(member.type) ? member.type.types : [member.type];
      const group = types.map((type) => type.getText()).find((type) => interfaces.has(type));
      // A group is an option itself only if it takes other values too, as `cache` takes `true`.
      const own = types.length > 1 || group === undefined ? [{ path, ...readComment(member) }] : [];
      return [...own, ...(group ? readMembers(group, `${path}.`) : [])];
    });
  return readMembers('MaintenanceModuleOptions', '');
}

function readComment(member) {
  const [comment] = ts.getJSDocCommentsAndTags(member);
  const text = ts.getTextOfJSDocComment(comment.comment).replace(/\s+/g, ' ').trim();
  const [description, variableText] = text.split(/ ?Environment variable: /);
  const [, variable, note = ''] = /^`(\w+)`(.*)$/.exec(variableText ?? '') ?? [];
  const tag = ts.getJSDocTags(member).find(({ tagName }) => tagName.text === 'defaultValue');
  return {
    variable,
    note,
    default: tag && ts.getTextOfJSDocComment(tag.comment).trim(),
    // The first sentence; the others are for the editor.
    description: description.replace(/\.(?= [A-Z`]).*/, '').replace(/\.$/, ''),
  };
}

function createTable(options) {
  const rows = options.map(({ path, variable, note, default: value, description }) => {
    const guide = GUIDES[path];
    const cells = [
      guide ? `[\`${path}\`](${guide})` : `\`${path}\``,
      variable ? `\`${variable}\`${note}` : '',
      value ?? COMPUTED_DEFAULTS[path] ?? '',
      description,
    ];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return ['| option | environment variable | default | description |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

const options = readOptions();
if (process.argv.includes('--json')) {
  console.log(JSON.stringify(options));
} else {
  const page = readFileSync(PAGE, 'utf8');
  const [before, after] = [page.slice(0, page.indexOf(START) + START.length), page.slice(page.indexOf(END))];
  const written = await format(`${before}\n\n${createTable(options)}\n\n${after}`, {
    ...(await resolveConfig(PAGE)),
    filepath: PAGE,
  });
  if (!process.argv.includes('--check')) writeFileSync(PAGE, written);
  else if (written !== page) {
    console.error(`The options in ${PAGE} are out of date. Run: node scripts/generate-options-reference.mjs`);
    process.exitCode = 1;
  }
}
