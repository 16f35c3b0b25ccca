import type {
  DefinitionNode,
  DocumentNode,
  FieldNode,
  FragmentDefinitionNode,
  InlineFragmentNode,
  OperationDefinitionNode,
  OperationTypeNode,
  SelectionNode,
  SelectionSetNode,
} from 'graphql';
import type { PolicyRequest } from '../../policy/request-path.js';

/** The part of an operation that decides about its admission. */
export interface Operation {
  kind: `${OperationTypeNode}`;
  /** The names of the root fields, also of those in fragments, without `__typename`. */
  fields: string[];
}

/** An operation as a client sends it. */
export interface SentOperation {
  query: string;
  operationName?: string | null;
}

/** Reads an operation from a document. Directives that skip fields are ignored, so that all named fields count. */
export function toOperation(document: DocumentNode, operationName?: string | null): Operation | null {
  const definition = findDefinition(document, operationName);
  if (!definition) return null;
  const fields = new Set<string>();
  const seen = new Set<string>();
  const collect = ({ selections }: SelectionSetNode): void => {
    for (const selection of selections) {
      if (isField(selection)) fields.add(selection.name.value);
      else if (isInline(selection)) collect(selection.selectionSet);
      else if (!seen.has(selection.name.value)) {
        seen.add(selection.name.value);
        for (const spread of document.definitions) {
          if (isFragment(spread) && spread.name.value === selection.name.value) collect(spread.selectionSet);
        }
      }
    }
  };
  collect(definition.selectionSet);
  fields.delete('__typename');
  return { kind: definition.operation, fields: [...fields] };
}

/** Returns the operation that would be executed; `undefined` where GraphQL has to report an error. */
export function findDefinition(
  { definitions }: DocumentNode,
  operationName?: string | null,
): OperationDefinitionNode | undefined {
  const operations = definitions.filter(isOperation);
  if (operationName) return operations.find(({ name }) => name?.value === operationName);
  return operations.length === 1 ? operations[0] : undefined;
}

/** Whether an HTTP request may have an operation; otherwise it asks for a page. */
export function hasOperation({ method, url }: PolicyRequest): boolean {
  if (method === 'POST') return true;
  const parameters = parseQueryParameters(url);
  return method === 'GET' && (parameters.has('query') || parameters.has('extensions'));
}

/** Returns the operations of an HTTP request, several for a batch; `null` where one is missing, as if persisted. */
export function parseSentOperations(request: PolicyRequest & { body?: unknown }): SentOperation[] | null {
  const sent = request.method === 'GET' ? Object.fromEntries(parseQueryParameters(request.url)) : request.body;
  const operations = (Array.isArray(sent) ? sent : [sent]) as (Partial<SentOperation> | null | undefined)[];
  const isComplete = operations.length > 0 && operations.every((operation) => typeof operation?.query === 'string');
  return isComplete ? (operations as SentOperation[]) : null;
}

function parseQueryParameters(url: string): URLSearchParams {
  const query = url.indexOf('?');
  return new URLSearchParams(query === -1 ? '' : url.slice(query));
}

// The kinds are an enum, whose values would load the package.
const hasKind = (node: { kind: string }, kind: string): boolean => node.kind === kind;
const isField = (node: SelectionNode): node is FieldNode => hasKind(node, 'Field');
const isInline = (node: SelectionNode): node is InlineFragmentNode => hasKind(node, 'InlineFragment');
const isFragment = (node: DefinitionNode): node is FragmentDefinitionNode => hasKind(node, 'FragmentDefinition');
const isOperation = (node: DefinitionNode): node is OperationDefinitionNode => hasKind(node, 'OperationDefinition');
