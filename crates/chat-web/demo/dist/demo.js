// built from demo
document.title="Support chat: a demo";
