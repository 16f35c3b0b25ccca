import { readdirSync } from 'node:fs';
import ts from 'typescript';
import { formatComment, readComment, readStatements } from './tsdoc.mjs';

const SOURCE = 'libs/maintenance/src';

/** Describes the error classes of the main entry point, with what to do about each. */
export function createErrorsPage() {
  const exported = new Set(
    readStatements('index.ts')
      .filter((statement) => ts.isExportDeclaration(statement) && statement.exportClause)
      .flatMap(({ exportClause }) => exportClause.elements.map(({ name }) => name.text)),
  );
  const sections = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(error|exception)\.ts$/.test(file))
    .flatMap((file) => readStatements(file))
    .map((statement) => ({ statement, name: statement.name?.text }))
    .filter(({ name }) => exported.has(name) && /(Error|Exception)(Code)?$/.test(name))
    .sort((a, b) => a.name.localeCompare(b.name))
    .map(({ statement, name }) => {
      const comment = readComment(statement);
      if (ts.isClassDeclaration(statement) && comment.remarks.length === 0) {
        throw new Error(`${name} has no @remarks that say what to do, and its HTTP status and exit code.`);
      }
      return [`## ${name}`, formatComment(comment)].join('\n\n');
    });
  return [
    '# Errors',
    'The error classes of `nestjs-maintenance`, when each is thrown, and what to do. [Messages](messages.md) lists their texts.',
    ...sections,
  ].join('\n\n');
}
