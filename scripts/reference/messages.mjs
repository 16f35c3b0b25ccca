import { readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { formatTable } from './tsdoc.mjs';

const SOURCE = 'libs/maintenance/src';
/** The kinds of messages, by the class that carries them. */
const KINDS = {
  UsageError: 'usage',
  InvalidWindowError: 'window',
  MaintenanceOptionsError: 'options',
  MaintenanceStorageError: 'storage',
  MaintenanceInactiveError: 'drain',
  MaintenanceAbortedError: 'lease',
};
const LOG_METHODS = ['log', 'warn', 'error'];

/** Returns the texts of an expression, one for each branch, with `…` for each part that is not constant. */
function toPatterns(node) {
  if (ts.isStringLiteralLike(node)) return [node.text];
  if (ts.isTemplateExpression(node)) {
    return [node.head.text + node.templateSpans.map(({ literal }) => `…${literal.text}`).join('')];
  }
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    return toPatterns(node.left).flatMap((left) => toPatterns(node.right).map((right) => left + right));
  }
  if (ts.isParenthesizedExpression(node)) return toPatterns(node.expression);
  if (ts.isConditionalExpression(node)) return [...toPatterns(node.whenTrue), ...toPatterns(node.whenFalse)];
  return ['…'];
}

/** The files whose functions return the sentences that a log line or an error repeats. */
const SENTENCE_FILES = [
  ['storage', /^storage\/.*-errors\.ts$/],
  ['log', /^boot-warnings\.ts$/],
  ['drain', /^drain\/wait-for-drain\.ts$/],
];

/** Returns the sentences in a file: its texts of five words or more, joined where they are concatenated. */
function collectSentences(source) {
  const sentences = [];
  const visit = (node) => {
    const isText = ts.isStringLiteralLike(node) || ts.isTemplateExpression(node) || ts.isBinaryExpression(node);
    const patterns = isText ? toPatterns(node).filter((text) => text.trim().split(/\s+/).length > 4) : [];
    if (patterns.length > 0) sentences.push(...patterns);
    else ts.forEachChild(node, visit);
  };
  visit(source);
  return sentences;
}

/** Returns the kind and the argument with the message of a call or a new error; `undefined` for other nodes. */
function readMessage(node) {
  if (ts.isNewExpression(node)) {
    const kind = KINDS[node.expression.getText()];
    const position = kind === 'storage' ? 1 : 0;
    return kind && node.arguments?.[position] && { kind, argument: node.arguments[position] };
  }
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return undefined;
  const { name, expression } = node.expression;
  if (
    !LOG_METHODS.includes(name.text) ||
    !/(logger|failures|MaintenanceLogger\(\)|scopeWarning)$/i.test(expression.getText())
  )
    return undefined;
  const last = node.arguments.at(-1);
  return last && { kind: 'log', argument: ts.isArrowFunction(last) && !ts.isBlock(last.body) ? last.body : last };
}

/** Returns the messages of the log and of the errors, each with its kind. */
export function collectMessages() {
  const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
    .filter(
      (file) => /\.ts$/.test(file) && !/\.spec\.ts$|^testing\/|^utils\/(maintenance-logger|failure-log)/.test(file),
    )
    .sort();
  const messages = files.flatMap((file) => {
    const source = ts.createSourceFile(file, readFileSync(`${SOURCE}/${file}`, 'utf8'), ts.ScriptTarget.Latest, true);
    const found = SENTENCE_FILES.filter(([, pattern]) => pattern.test(file)).flatMap(([kind]) =>
      collectSentences(source).map((message) => ({ kind, message })),
    );
    const visit = (node) => {
      const { kind, argument } = readMessage(node) ?? {};
      if (kind) found.push(...toPatterns(argument).map((message) => ({ kind, message })));
      ts.forEachChild(node, visit);
    };
    visit(source);
    return found;
  });
  const unique = new Map(
    messages.map(({ kind, message }) => [`${kind} ${message}`, { kind, message: message.replace(/\s+/g, ' ').trim() }]),
  );
  // Texts without two constant words are those of another message.
  return [...unique.values()].filter(({ message }) => message.replaceAll('…', '').trim().split(/\s+/).length > 1);
}

const SECTIONS = {
  usage: ['Invalid usage', 'The command line prints these after `error:`, and exits with 2. Nothing was changed.'],
  window: ['Invalid windows', 'An `InvalidWindowError` in code, 400 over HTTP, exit code 2. Nothing was changed.'],
  options: [
    'Options at startup',
    'A `MaintenanceOptionsError` after `nestjs-maintenance:`. The application does not start.',
  ],
  storage: [
    'Storages',
    'A `MaintenanceStorageError` in code, 502 over HTTP, exit code 1, and `storage.error` in the status.',
  ],
};

/** Lists the messages that say themselves what to do. */
export function createMessagesPage() {
  const messages = collectMessages();
  const sections = Object.entries(SECTIONS).flatMap(([kind, [heading, text]]) => [
    `## ${heading}`,
    text,
    formatTable(
      ['message'],
      messages.filter((message) => message.kind === kind).map(({ message }) => [toCode(message)]),
    ),
  ]);
  return [
    '# Messages',
    'The messages of errors. Each says what failed and what to do; `…` stands for a value. For those of the log and for ' +
      'symptoms, see [troubleshooting](../troubleshooting.md).',
    ...sections,
  ].join('\n\n');
}

/** Writes a message as code, which may contain backticks. */
export function toCode(message) {
  return message.includes('`') ? `\`\` ${message} \`\`` : `\`${message}\``;
}
