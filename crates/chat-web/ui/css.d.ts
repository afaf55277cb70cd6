/** A style sheet is a text for the build. */
declare module "*.css" {
  const text: string;
  export default text;
}
