import { normalPath } from './request-path.js';

it.each([
  ['/', '/'],
  ['/health', '/health'],
  ['/health/', '/health'],
  ['/health?x=/admin', '/health'],
  ['/caf%C3%A9', '/café'],
  ['/a%20b', '/a b'],
  ['/a.b/c..d/...', '/a.b/c..d/...'],
  ["/a:b@c!$&'()*+,=~_-", "/a:b@c!$&'()*+,=~_-"],
])('reads %s', (url, path) => {
  expect(normalPath(url)).toBe(path);
});

it.each([
  '/health/../admin', '/..', '/../x', '/.', '/./x', '/x/.', '/x/..', '//x', '/x//y', '/x//', '/x\\y', '/x;y', '/;x',
  '/%68ealth', '/healt%48', '/%2e%2e/x', '/%2E/x', '/x%2fy', '/x%2Fy', '/x%5cy', '/x%3by', '/x%7ey', '/x%5f', '/x%2d', '/x%30',
  '/x%00', '/x%0a', '/x%7f', '/x%', '/x%z', '/x%zz', '/x%c3', '/x%ff', '/x#y', '/x y', '/x\u00e9', '', '*', 'x', 'http://host/health', '?x',
])('takes %j for no normal form', (url) => {
  expect(normalPath(url)).toBeUndefined();
});
