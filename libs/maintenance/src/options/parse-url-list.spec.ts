import { parseUrlList } from './parse-url-list.js';

it.each([
  ['', []],
  ['/docs', ['/docs']],
  [' /docs/{*rest} , /health/ ,', ['/docs/{*rest}', '/health/']],
  ['/^\\/docs/', [/^\/docs/]],
  ['/^\\/a{1,2}$/i,/b', [/^\/a{1,2}$/i, '/b']],
  ['/a{1,2}/', [/a{1,2}/]],
  ['/[,/]x/,/c', [/[,/]x/, '/c']],
  ['/a,/b/i,/c', ['/a', '/b/i', '/c']],
  ['/docs.v1/', ['/docs.v1/']],
  ['/x/:id/y', ['/x/:id/y']],
  ['/.*\\.png/', [/.*\.png/]],
])('parses the URL list %j', (text, items) => {
  expect(parseUrlList(text)).toEqual(items);
});

it('rejects an invalid regular expression', () => {
  expect(() => parseUrlList('/(/')).toThrow(/\/\(\/ is not a regular expression/);
});
