import java.io.*;
import java.lang.reflect.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import java.util.zip.*;
import org.apache.commons.cli.*;
import org.apache.flink.client.cli.*;
import org.apache.flink.configuration.*;

/**
 * What Flink's own classes make of command lines. One question a line: a word, then the arguments in hex, parted by tabs; one
 * answer a line. Written once for all versions; what only some of them have is called by its name.
 */
public class Judge {
    static PrintStream out;
    static Configuration conf;
    static CliFrontend front;
    static boolean yaml;

    public static void main(String[] a) throws Exception {
        out = new PrintStream(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16), false, "UTF-8");
        System.setOut(System.err);
        // A version that knows `config.yaml` writes YAML for the cluster once it has read such a file.
        Path home = Files.createTempDirectory("judge");
        Path file = Files.createFile(home.resolve("config.yaml"));
        try { GlobalConfiguration.loadConfiguration(home.toString()); yaml = (Boolean) call(GlobalConfiguration.class, null, "isStandardYaml"); }
        catch (NoSuchMethodException none) { yaml = major() >= 2; }
        catch (IllegalConfigurationException none) { }
        Files.delete(file);
        Files.delete(home);
        conf = new Configuration();
        List<CustomCommandLine> lines = CliFrontend.loadCustomCommandLines(conf, "/conf");
        front = new CliFrontend(conf, lines);
        StringBuilder ready = new StringBuilder("ready");
        for (CustomCommandLine line : lines) ready.append('\t').append(line.getClass().getSimpleName());
        out.println(ready);
        out.flush();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null; ) {
            String[] parts = line.split("\t");
            String[] args = new String[parts.length - 1];
            for (int i = 1; i < parts.length; i++) args[i - 1] = unhex(parts[i]);
            try { out.println(answer(parts[0], args)); }
            catch (Throwable t) { out.println("error\t" + t.getClass().getSimpleName() + "\t" + hex(String.valueOf(t.getMessage()))); }
            if (!in.ready()) out.flush();
        }
        System.exit(0);
    }

    static CharSequence answer(String question, String[] args) throws Exception {
        switch (question) {
            case "session": return session(args);
            case "options": return table(args[0]);
            case "keys": return keys();
            case "phrases": return phrases(args);
            case "taskmanager": return taskManager(args);
            case "jobmanager": return jobManager(args);
            default: return question.startsWith("built-") ? built(question.substring(6), args) : line(question, args);
        }
    }

    // Lines

    static CharSequence line(String action, String[] args) throws Exception {
        CommandLine c = front.getCommandLine(options(action), args, program(action));
        CustomCommandLine active = front.validateAndGetActiveCommandLine(c);
        StringBuilder b = new StringBuilder("line\tactive:").append(active.getClass().getSimpleName());
        if (program(action)) {
            ProgramOptions p = ProgramOptions.create(c);
            if (p.getEntryPointClassName() != null) b.append("\tclass:").append(hex(p.getEntryPointClassName()));
            if (p.getJarFilePath() != null) b.append("\tjar:").append(hex(p.getJarFilePath()));
            Configuration e = effective(active, c, p);
            words(b, "arg", p.getProgramArgs());
            configuration(b, e);
        } else {
            words(b, "arg", c.getArgs());
            for (Option o : c.getOptions()) if (options(action).hasOption(o.getOpt())) b.append("\to:").append(hex(o.getOpt() + "=" + String.join(",", o.getValuesList())));
            Configuration e = new Configuration();
            e.addAll(active.toConfiguration(c));
            configuration(b, e);
        }
        return b;
    }

    static boolean program(String action) { return action.equals("run") || action.equals("info") || action.equals("run-application"); }

    static Options options(String action) throws Exception {
        String name = action.equals("run-application") ? "run" : action;
        return (Options) call(CliFrontendParser.class, null, "get" + Character.toUpperCase(name.charAt(0)) + name.substring(1) + "CommandOptions");
    }

    static Configuration effective(CustomCommandLine active, CommandLine c, ProgramOptions p) throws Exception {
        try { return (Configuration) call(CliFrontend.class, front, "getEffectiveConfiguration", active, c, p, Collections.emptyList()); }
        catch (NoSuchMethodException later) {
            Configuration e = (Configuration) call(CliFrontend.class, front, "getEffectiveConfiguration", active, c);
            call(CliFrontend.class, front, "updateEffectiveConfiguration", e, p, Collections.emptyList());
            return e;
        }
    }

    static CharSequence session(String[] args) throws Exception {
        StringBuilder b = new StringBuilder("session");
        org.apache.flink.yarn.cli.FlinkYarnSessionCli cli = new org.apache.flink.yarn.cli.FlinkYarnSessionCli(conf, "/conf", "", "");
        CommandLine c = cli.parseCommandLineOptions(args, true);
        Configuration e = new Configuration(conf);
        e.addAll(cli.toConfiguration(c));
        configuration(b, e);
        words(b, "rest", c.getArgs());
        return b;
    }

    static CharSequence table(String action) throws Exception {
        Options o;
        if (action.equals("session")) {
            org.apache.flink.yarn.cli.FlinkYarnSessionCli cli = new org.apache.flink.yarn.cli.FlinkYarnSessionCli(conf, "/conf", "", "");
            o = new Options();
            cli.addGeneralOptions(o);
            cli.addRunOptions(o);
        } else o = CliFrontendParser.mergeOptions(options(action), front.getCustomCommandLineOptions());
        TreeSet<String> all = new TreeSet<>();
        for (Option x : o.getOptions()) {
            String takes = x.hasValueSeparator() ? "Pair" : x.hasOptionalArg() ? "Maybe" : x.getArgs() == Option.UNLIMITED_VALUES ? "Many" : x.getArgs() > 0 ? "One" : "Nothing";
            all.add(x.getOpt() + "," + (x.getLongOpt() == null ? "" : x.getLongOpt()) + "," + takes);
        }
        return "options\t" + String.join("\t", all);
    }

    // What this crate builds: what the action's own classes make of it, and what arrives behind the client.

    static CharSequence built(String action, String[] args) throws Exception {
        StringBuilder b = new StringBuilder("built");
        CommandLine c = front.getCommandLine(options(action), args, program(action));
        if (!program(action)) {
            Class<?> k = Class.forName("org.apache.flink.client.cli." + Character.toUpperCase(action.charAt(0)) + action.substring(1) + "Options");
            Constructor<?> make = k.getDeclaredConstructor(CommandLine.class);
            make.setAccessible(true);
            Object made;
            try { made = make.newInstance(c); } catch (InvocationTargetException e) { throw (Exception) e.getCause(); }
            for (Field f : k.getDeclaredFields()) {
                if (Modifier.isStatic(f.getModifiers())) continue;
                f.setAccessible(true);
                Object v = f.get(made);
                String text = v instanceof String[] ? String.join(" ", (String[]) v) : String.valueOf(v);
                b.append("\tu:").append(f.getName()).append('=').append(hex(text));
            }
            return b;
        }
        ProgramOptions p = ProgramOptions.create(c);
        Configuration e = effective(front.validateAndGetActiveCommandLine(c), c, p);
        String[] arguments = p.getProgramArgs();
        if ("yarn-application".equals(e.toMap().get("execution.target"))) {
            // On its way to the cluster the configuration is a file.
            Class<?> k = Class.forName("org.apache.flink.client.deployment.application.ApplicationConfiguration");
            Object application = k.getConstructor(String[].class, String.class).newInstance(arguments, p.getEntryPointClassName());
            call(k, application, "applyToConfiguration", e);
            Configuration read = file(e);
            for (Map.Entry<String, String> x : new TreeMap<>(e.toMap()).entrySet())
                if (!x.getValue().equals(read.toMap().get(x.getKey())) && !x.getValue().isEmpty()) b.append("\tlost:").append(hex(x.getKey())).append('=').append(hex(String.valueOf(read.toMap().get(x.getKey()))));
            arguments = (String[]) call(k, call(k, null, "fromConfiguration", read), "getProgramArguments");
        }
        if ("org.apache.flink.client.python.PythonDriver".equals(p.getEntryPointClassName())) {
            Class<?> f = Class.forName("org.apache.flink.client.python.PythonDriverOptionsParserFactory");
            Constructor<?> factory = f.getDeclaredConstructor();
            factory.setAccessible(true);
            Class<?> k = Class.forName("org.apache.flink.runtime.entrypoint.parser.CommandLineParser");
            Object parser = k.getConstructors()[0].newInstance(factory.newInstance());
            Object driver = call(k, parser, "parse", (Object) arguments);
            Object script = call(driver.getClass(), driver, "getEntryPointScript");
            Object module = call(driver.getClass(), driver, "getEntryPointModule");
            b.append("\tscript:").append(hex((String) ((Optional<?>) script).map(x -> x).orElse(null) == null ? "" : (String) ((Optional<?>) script).get()));
            b.append("\tmodule:").append(hex(((Optional<?>) script).isPresent() ? "" : String.valueOf(module)));
            arguments = ((List<?>) call(driver.getClass(), driver, "getProgramArgs")).toArray(new String[0]);
        } else b.append("\tclass:").append(hex(String.valueOf(p.getEntryPointClassName()))).append("\tjar:").append(hex(String.valueOf(p.getJarFilePath())));
        words(b, "arg", arguments);
        return b;
    }

    static Configuration file(Configuration e) throws Exception {
        Path d = Files.createTempDirectory("judge");
        Path f = d.resolve(yaml ? "config.yaml" : "flink-conf.yaml");
        try {
            call(Class.forName("org.apache.flink.runtime.clusterframework.BootstrapTools"), null, "writeConfiguration", e, f.toFile());
            return GlobalConfiguration.loadConfiguration(d.toString());
        } finally { Files.deleteIfExists(f); Files.delete(d); }
    }

    // Memory

    static Configuration given(String[] pairs) {
        Configuration c = new Configuration();
        for (String pair : pairs) { int at = pair.indexOf('='); c.setString(pair.substring(0, at), pair.substring(at + 1)); }
        return c;
    }

    static CharSequence taskManager(String[] pairs) throws Exception {
        return "fits\t" + call(Class.forName("org.apache.flink.runtime.clusterframework.TaskExecutorProcessUtils"), null, "processSpecFromConfig", given(pairs)).toString().replace('\n', ' ');
    }

    static CharSequence jobManager(String[] pairs) throws Exception {
        Class<?> k = Class.forName("org.apache.flink.runtime.jobmanager.JobManagerProcessUtils");
        Object spec;
        try { spec = call(k, null, "processSpecFromConfigWithNewOptionToInterpretLegacyHeap", given(pairs), JobManagerOptions.TOTAL_PROCESS_MEMORY); }
        catch (NoSuchMethodException later) { spec = call(k, null, "processSpecFromConfig", given(pairs)); }
        return "fits\t" + spec.toString().replace('\n', ' ');
    }

    // Configuration keys: every `ConfigOption` that a class of Flink's holds

    static CharSequence keys() throws Exception {
        TreeSet<String> keys = new TreeSet<>();
        for (String jar : System.getProperty("java.class.path").split(File.pathSeparator)) {
            if (!new File(jar).getName().startsWith("flink-") || !jar.endsWith(".jar")) continue;
            try (ZipFile zip = new ZipFile(jar)) {
                for (ZipEntry entry : Collections.list(zip.entries())) {
                    String name = entry.getName();
                    if (!name.startsWith("org/apache/flink/") || !name.endsWith(".class") || name.contains("/shaded/")) continue;
                    try {
                        Class<?> k = Class.forName(name.substring(0, name.length() - 6).replace('/', '.'), false, Judge.class.getClassLoader());
                        for (Field f : k.getDeclaredFields()) {
                            if (!Modifier.isStatic(f.getModifiers()) || f.getType() != ConfigOption.class) continue;
                            f.setAccessible(true);
                            ConfigOption<?> option = (ConfigOption<?>) f.get(null);
                            if (option == null) continue;
                            keys.add(option.key());
                            if (map(option)) keys.add(option.key() + ".*");
                            for (FallbackKey other : option.fallbackKeys()) keys.add(other.getKey());
                        }
                    } catch (LinkageError notHere) { }
                }
            }
        }
        return "keys\t" + String.join("\t", keys);
    }

    /** Which texts stand in any class of the clients. */
    static CharSequence phrases(String[] all) throws Exception {
        boolean[] found = new boolean[all.length];
        for (String jar : System.getProperty("java.class.path").split(File.pathSeparator)) {
            if (!new File(jar).getName().matches("(flink-(clients|yarn|core|java|runtime)|hadoop-yarn-client).*[.]jar")) continue;
            try (ZipFile zip = new ZipFile(jar)) {
                for (ZipEntry entry : Collections.list(zip.entries())) {
                    if (!entry.getName().matches("org/apache/(flink/(client|yarn|api/common)|hadoop/yarn/client/api/impl)/.*[.]class")) continue;
                    String text = new String(zip.getInputStream(entry).readAllBytes(), StandardCharsets.ISO_8859_1);
                    for (int i = 0; i < all.length; i++) found[i] |= text.contains(all[i]);
                }
            }
        }
        StringBuilder b = new StringBuilder("phrases");
        for (boolean one : found) b.append('\t').append(one);
        return b;
    }

    static boolean map(ConfigOption<?> option) throws Exception {
        Field clazz = ConfigOption.class.getDeclaredField("clazz");
        clazz.setAccessible(true);
        return clazz.get(option) == Map.class;
    }

    // Words

    static String hex(String s) {
        StringBuilder b = new StringBuilder();
        for (byte x : s.getBytes(StandardCharsets.UTF_8)) b.append(Character.forDigit(x >> 4 & 15, 16)).append(Character.forDigit(x & 15, 16));
        return b.length() == 0 ? "-" : b.toString();
    }

    static String unhex(String h) {
        if (h.equals("-")) return "";
        byte[] b = new byte[h.length() / 2];
        for (int i = 0; i < b.length; i++) b[i] = (byte) Integer.parseInt(h.substring(2 * i, 2 * i + 2), 16);
        return new String(b, StandardCharsets.UTF_8);
    }

    static void words(StringBuilder b, String name, String[] all) { if (all != null) for (String s : all) b.append('\t').append(name).append(':').append(hex(s)); }

    static void configuration(StringBuilder b, Configuration e) {
        for (Map.Entry<String, String> x : new TreeMap<>(e.toMap()).entrySet())
            if (!x.getKey().startsWith("$internal") && !x.getKey().equals("pipeline.jars")) b.append("\tc:").append(hex(x.getKey())).append('=').append(hex(x.getValue()));
    }

    static int major() throws Exception {
        return Integer.parseInt(((String) call(Class.forName("org.apache.flink.runtime.util.EnvironmentInformation"), null, "getVersion")).split("\\.")[0]);
    }

    static Object call(Class<?> c, Object on, String name, Object... args) throws Exception {
        for (Class<?> k = c; k != null; k = k.getSuperclass())
            for (Method m : k.getDeclaredMethods())
                if (m.getName().equals(name) && m.getParameterCount() == args.length) {
                    m.setAccessible(true);
                    try { return m.invoke(on, args); }
                    catch (InvocationTargetException e) { if (e.getCause() instanceof Exception) throw (Exception) e.getCause(); throw e; }
                    catch (IllegalArgumentException other) { }
                }
        throw new NoSuchMethodException(c + "." + name);
    }
}
