// The packages that only some applications need, or only during maintenance. This file is CommonJS because synchronous
// code can load a package on use only by `require()`, which bundlers and Jest follow as well.
const loadOnce = (load) => {
  let loaded;
  return () => (loaded ??= load());
};

exports.loadCookie = loadOnce(() => require('cookie'));
exports.loadCroner = loadOnce(() => require('croner'));
exports.loadNegotiator = loadOnce(() => require('negotiator'));
exports.loadOnHeaders = loadOnce(() => require('on-headers'));
exports.loadPathToRegexp = loadOnce(() => require('path-to-regexp'));
exports.loadVary = loadOnce(() => require('vary'));

// ES modules can be loaded only by `import()`, and in Jest only CommonJS, by `require()`.
exports.importModule = (url, path) =>
  import(url).catch((error) => {
    if (!/^ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING/.test(error?.code)) throw error;
    return require(path);
  });
