// built from console
document.title="Chat console";
