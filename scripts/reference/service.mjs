import ts from 'typescript';
import { formatComment, formatSignature, readComment, readStatements } from './tsdoc.mjs';

/** Describes the public members of MaintenanceService. */
export function createServicePage() {
  const service = readStatements('maintenance.service.ts').find(ts.isClassDeclaration);
  const members = service.members
    .filter((member) => member.name && !ts.isPrivateIdentifier(member.name))
    .map((member) => ({ member, comment: readComment(member) }))
    .filter(({ comment }) => comment && !comment.isInternal);
  const sections = members.map(({ member, comment }) => {
    const isMethod = ts.isMethodDeclaration(member);
    const signature = isMethod
      ? formatSignature(member)
      : `readonly ${member.name.getText()}: ${member.type.getText()}`;
    const heading = isMethod ? `${member.name.getText()}()` : member.name.getText();
    return [`## ${heading}`, `\`\`\`ts\n${signature}\n\`\`\``, formatComment(comment)].join('\n\n');
  });
  return [
    '# MaintenanceService',
    formatComment(readComment(service)),
    'The [guide](../service.md) explains when to use which method.',
    ...sections,
  ].join('\n\n');
}
