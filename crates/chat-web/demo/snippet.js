/** What a person puts into their own page to have the widget there. @param {string} url of the server */
export const snippet = (url) =>
  `<script async src="${url}/widget.js"></script>
<script>(window.chatWidget ||= []).push(["identify", {
  token: async () => (await fetch("/chat-token")).text() }])</script>`;
