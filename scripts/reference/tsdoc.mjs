/** Reads declarations with their TSDoc comments, and writes them as Markdown. */
import { readFileSync } from 'node:fs';
import ts from 'typescript';

const SOURCE = 'libs/maintenance/src';

/** Returns the statements of a file of the library, by its path in src. */
export function readStatements(path) {
  const file = `${SOURCE}/${path}`;
  return [...ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true).statements];
}

/** Replaces links between symbols by code, which Markdown outside of the API reference can't resolve. */
const toText = (comment) =>
  comment.replace(/\{@link ([^}|]+?)(?:\s*\|\s*([^}]+))?\}/g, (_link, name, text) => text ?? `\`${name}\``).trim();

/** Splits a comment at its block tags. TypeScript would take the decorators of an example for tags. */
function splitTags(comment) {
  const lines = comment
    .replace(/^\/\*\*|\*\/$/g, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, ''));
  const tags = [{ name: '', lines: [] }];
  let isCode = false;
  for (const line of lines) {
    if (line.startsWith('```')) isCode = !isCode;
    const [, name, rest] = (!isCode && /^@(\w+) ?(.*)$/.exec(line)) || [];
    if (name) tags.push({ name, lines: [rest] });
    else tags.at(-1).lines.push(line);
  }
  return tags.map(({ name, lines: text }) => ({ name, text: toText(text.join('\n')) }));
}

/** Returns description and tags of a declaration; `null` if it has no comment. */
export function readComment(node) {
  const comment = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc).at(-1);
  if (!comment) return null;
  const [description, ...tags] = splitTags(comment.getText());
  const find = (name) => tags.filter((tag) => tag.name === name).map(({ text }) => text);
  return {
    description: description.text,
    isInternal: find('internal').length > 0,
    remarks: find('remarks'),
    examples: find('example'),
    returns: find('returns'),
    throws: find('throws'),
    params: find('param').map((text) => {
      const [, name, rest] = /^(\w+) -\s*([^]*)$/.exec(text);
      return { name, text: rest };
    }),
  };
}

/** Returns the text of a signature without decorators, modifiers and body. */
export function formatSignature(method) {
  const constants = readConstants(method.getSourceFile());
  const parameters = method.parameters
    .map((parameter) => parameter.getText().replace(/\s+/g, ' '))
    .map((text) => text.replace(/\b[A-Z][A-Z_]+\b/g, (name) => constants.get(name) ?? name))
    .join(', ');
  const types = method.typeParameters ? `<${method.typeParameters.map((type) => type.getText()).join(', ')}>` : '';
  return `${method.name.getText()}${types}(${parameters}): ${method.type?.getText() ?? 'void'}`;
}

/** Returns the values of the constants of a file, such as a default of a parameter. */
function readConstants(file) {
  const declarations = file.statements
    .filter(ts.isVariableStatement)
    .flatMap((one) => [...one.declarationList.declarations]);
  return new Map(declarations.map(({ name, initializer }) => [name.getText(), initializer?.getText()]));
}

const joinLines = (text) => text.replace(/\s+/g, ' ');

/** Writes the parts of a comment that follow the signature. */
export function formatComment({ description, params, returns, throws, remarks, examples }) {
  const list = [
    ...params.map(({ name, text }) => `- \`${name}\`: ${joinLines(text)}`),
    ...returns.map((text) => `- Returns ${joinLines(text)}.`),
    ...throws.map((text) => `- Throws ${joinLines(text)}.`),
  ];
  return [description, ...remarks, list.join('\n'), ...examples].filter(Boolean).join('\n\n');
}

/** Writes a Markdown table. */
export function formatTable(head, rows) {
  const toRow = (cells) => `| ${cells.map((cell) => joinLines(cell).replaceAll('|', '\\|')).join(' | ')} |`;
  return [toRow(head), toRow(head.map(() => '---')), ...rows.map(toRow)].join('\n');
}
