import ts from 'typescript';
import { formatComment, readComment, readStatements } from './tsdoc.mjs';

/** Describes the decorators of the main entry point. */
export function createDecoratorsPage() {
  const sections = readStatements('maintenance.decorators.ts')
    .filter(ts.isVariableStatement)
    .map((statement) => {
      const [{ name, initializer }] = statement.declarationList.declarations;
      const parameters = initializer.parameters.map((parameter) => parameter.getText()).join(', ');
      const comment = { ...readComment(statement), returns: [] };
      return [`## @${name.text}()`, `\`\`\`ts\n@${name.text}(${parameters})\n\`\`\``, formatComment(comment)].join(
        '\n\n',
      );
    });
  return [
    '# Decorators',
    'Decorators for controllers, resolvers, gateways and their handlers. [Exemptions](../exemptions.md) explains which one wins.',
    ...sections,
  ].join('\n\n');
}
