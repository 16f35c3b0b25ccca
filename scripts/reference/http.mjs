import { readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { formatTable, readComment, readStatements } from './tsdoc.mjs';

const SOURCE = 'libs/maintenance/src';
const VERBS = ['Get', 'Post', 'Put', 'Patch', 'Delete', 'Sse'];

const listSources = () =>
  readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'))
    .sort();

/** Returns method, path and description of each route of a controller. */
function readRoutes(file) {
  return readStatements(file)
    .filter(ts.isClassDeclaration)
    .flatMap(({ members }) => members.filter(ts.isMethodDeclaration))
    .flatMap((method) => {
      const calls = (ts.getDecorators(method) ?? []).map(({ expression }) => expression).filter(ts.isCallExpression);
      const route = calls.find(({ expression }) => VERBS.includes(expression.getText()));
      if (!route) return [];
      const comment = readComment(method);
      if (!comment)
        throw new Error(`${file}: ${method.name.getText()}() has no TSDoc comment that describes the endpoint.`);
      const verb = route.expression.getText() === 'Sse' ? 'GET' : route.expression.getText().toUpperCase();
      const path = route.arguments[0]?.text;
      return [[`\`${verb}\``, `\`{path}${path ? `/${path}` : ''}\``, comment.description]];
    });
}

/** Returns the value and the description of each constant whose name ends in _HEADER. */
function readHeaders() {
  return listSources()
    .filter((file) => /_HEADER\b/.test(readFileSync(`${SOURCE}/${file}`, 'utf8')))
    .flatMap((file) => readStatements(file))
    .filter(ts.isVariableStatement)
    .map((statement) => ({ statement, declaration: statement.declarationList.declarations[0] }))
    .filter(
      ({ declaration }) => /_HEADER$/.test(declaration.name.getText()) && ts.isStringLiteral(declaration.initializer),
    )
    .map(({ statement, declaration }) => [
      `\`${declaration.initializer.text}\``,
      readComment(statement)?.description ?? '',
    ]);
}

/** Returns the values of a type instead of its name where it has one. */
function formatType(type) {
  const values = {
    'typeof ERROR_CODE': "'MAINTENANCE'",
    'typeof REFUSAL_CODE': "'SERVICE_UNAVAILABLE'",
    MaintenanceMode: "'full' | 'read-only'",
  };
  return `\`${values[type] ?? type}\``;
}

function readMembers(file, name) {
  const declaration = readStatements(file).find(
    (statement) => ts.isInterfaceDeclaration(statement) && statement.name.text === name,
  );
  return declaration.members
    .filter(ts.isPropertySignature)
    .map((member) => [
      `\`${member.name.getText()}\``,
      formatType(member.type.getText()),
      readComment(member)?.description ?? '',
    ]);
}

/** Describes endpoints, headers and the problem document. */
export function createHttpPage() {
  const controllers = listSources().filter((file) => file.endsWith('.controller.ts'));
  return [
    '# HTTP',
    'The endpoints, the headers and the JSON body of a refusal. The guides explain them: [response](../response.md) and [admin endpoints](../admin.md).',
    '## Endpoints',
    '`{path}` is `maintenance-mode` unless `admin.path` or `publicStatus.path` says otherwise, after the global prefix.',
    formatTable(['method', 'path', 'description'], controllers.flatMap(readRoutes)),
    '## Headers',
    formatTable(['header', 'description'], readHeaders()),
    '## Problem document',
    readComment(
      readStatements('http/problem.ts').find(
        (statement) => ts.isInterfaceDeclaration(statement) && statement.name.text === 'Problem',
      ),
    ).description,
    formatTable(['member', 'type', 'description'], readMembers('http/problem.ts', 'Problem')),
    '## Other transports',
    'GraphQL clients, sockets and microservice clients get this object in the error format of their transport.',
    formatTable(['member', 'type', 'description'], readMembers('http/refusal-payload.ts', 'RefusalPayload')),
  ].join('\n\n');
}
