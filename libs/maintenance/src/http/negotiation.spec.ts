import { negotiateFormat, negotiateGraphqlType } from './negotiation.js';

const MANY = 'a/b;q=0.1,'.repeat(1_500);

it('prefers HTML if the beginning of a long header does', () => {
  expect(negotiateFormat(`text/html,${MANY}`)).toBe('html');
  expect(negotiateGraphqlType(`application/graphql-response+json,${MANY}`)).toBe('application/graphql-response+json');
});

it('reads only the beginning of a header', () => {
  expect(negotiateFormat(`application/json;q=0.1,${MANY}text/html`)).toBe('json');
  expect(negotiateFormat(`${MANY}text/html`)).toBe('json');
  expect(negotiateGraphqlType(`${MANY}application/graphql-response+json`)).toBe('application/json');
});

it.each([
  ['one element that is too long', `text/html;x=${'y'.repeat(600)}`],
  ['commas', ','.repeat(15_000)],
])('treats a header of %s as no preference', (_title, accept) => {
  expect(negotiateFormat(accept)).toBe('json');
  expect(negotiateGraphqlType(accept)).toBe('application/json');
});
