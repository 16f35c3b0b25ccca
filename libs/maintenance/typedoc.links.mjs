/** Finds the class of `@throws {@link Name}`: TypeScript reads the braces as a type and resolves no link in them. */
export function load(app) {
  app.converter.addUnknownSymbolResolver((reference, from) => {
    const name = reference.symbolReference?.path?.at(-1)?.path;
    const target = from.project.children?.map((module) => module.getChildByName(name ?? '')).find(Boolean);
    return target && { target };
  });
}
