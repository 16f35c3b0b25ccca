import { preferredFormat, preferredGraphqlType } from './negotiation.js';

const MANY = 'a/b;q=0.1,'.repeat(1_500);

it('prefers the page where the beginning of a long header asks for it', () => {
  expect(preferredFormat(`text/html,${MANY}`)).toBe('html');
  expect(preferredGraphqlType(`application/graphql-response+json,${MANY}`)).toBe('application/graphql-response+json');
});

it('reads no more than the beginning of a header', () => {
  expect(preferredFormat(`application/json;q=0.1,${MANY}text/html`)).toBe('json');
  expect(preferredFormat(`${MANY}text/html`)).toBe('json');
  expect(preferredGraphqlType(`${MANY}application/graphql-response+json`)).toBe('application/json');
});

it.each([
  ['one element that is too long', `text/html;x=${'y'.repeat(600)}`],
  ['commas', ','.repeat(15_000)],
])('takes a header of %s as one without a preference', (_title, accept) => {
  expect(preferredFormat(accept)).toBe('json');
  expect(preferredGraphqlType(accept)).toBe('application/json');
});
